using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Live.Witness;
using Coppice.Qemu.Agent;

namespace Coppice.Live.Tree;

/// <summary>A witness guest with the QEMU guest agent of Debian in it, and the tests' own way to ask that.</summary>
internal static class AgentGuest
{
    private const string Channel = $"<channel type='unix'><target type='virtio' name='{GuestAgentChannel.Name}'/></channel>";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The archive with the agent; skips the test, with the reason, where it is not there.</summary>
    public static string RequireArchive()
    {
        var archive = Path.Combine(WitnessGuest.RepositoryRoot(), "artifacts", "guest-agent.cpio");
        Assert.SkipUnless(File.Exists(archive), $"{archive} is not there: run build/guest-agent, which also says why it cannot be");
        return archive;
    }

    /// <summary>Boots one.</summary>
    /// <param name="archive">The archive with the agent; null leaves it out, and there is its channel alone.</param>
    /// <param name="edit">Edits the definition further; it is given the XML and the domain's folder.</param>
    public static Task<LiveDomain> BootAsync(string? archive, Func<string, string, string>? edit = null)
    {
        LiveDomain.Require();
        return LiveDomain.BootEditedAsync((xml, folder) =>
        {
            var both = $"{folder}/initrd.img";
            File.WriteAllBytes(both, [.. File.ReadAllBytes(WitnessGuest.InitrdPath), .. archive is null ? [] : File.ReadAllBytes(archive)]);
            var edited = xml.Replace(WitnessGuest.InitrdPath, both, StringComparison.Ordinal)
                .Replace("<rng", Channel + "<rng", StringComparison.Ordinal);
            return edit?.Invoke(edited, folder) ?? edited;
        });
    }

    /// <summary>Asks the agent something, waiting for it while the guest boots.</summary>
    public static async Task<T> AskAsync<T>(LiveDomain domain, Func<GuestAgent, TimeSpan, Task<T>> ask)
    {
        var endpoint = $"{(await domain.ShowAsync()).Folder.Endpoints}/{GuestAgentChannel.Name}";
        await using var agent = await GuestAgent.ConnectAsync(endpoint, "the agent", TimeProvider.System, Cancellation);
        return await ask(agent, s_patience);
    }

    /// <summary>Has the guest run a command of its shell, and does not wait for its end.</summary>
    public static async Task BeginAsync(GuestAgent agent, string command) =>
        await agent.ExecuteAsync("guest-exec", Shell(command), s_patience, Cancellation);

    /// <summary>Has the guest run a command of its shell, to its end.</summary>
    public static async Task RunAsync(GuestAgent agent, string command)
    {
        var begun = await agent.ExecuteAsync("guest-exec", Shell(command), s_patience, Cancellation);
        var pid = begun.GetProperty("pid").GetInt64();
        while (true)
        {
            var status = await agent.ExecuteAsync("guest-exec-status", new JsonObject { ["pid"] = pid }, s_patience, Cancellation);
            if (status.GetProperty("exited").GetBoolean())
            {
                Assert.Equal(0, status.GetProperty("exitcode").GetInt32());
                return;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), Cancellation);
        }
    }

    private static JsonObject Shell(string command) => new() { ["path"] = "/bin/sh", ["arg"] = new JsonArray("-c", command) };
}
