using Coppice.Core;
using Coppice.Qemu;
using Coppice.Qemu.Processes;

namespace Coppice.Tests.Qemu;

/// <summary>A guest is asked to let go of a disk, and QEMU refuses to ask one that is thinking about it.</summary>
public sealed class UnplugTests : IDisposable
{
    private static readonly ShortId s_process = new("00000001");
    private static readonly DomainDefinition s_web = new()
    {
        Id = new DomainId(Guid.Empty), Name = "web", Memory = new ByteCount(64 << 20), Devices = [new DiskDevice { Target = "vdb" }],
    };

    private readonly HomeFolder _home = new(Directory.CreateTempSubdirectory("cu-").FullName);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_home.Path, recursive: true);

    [Theory]
    [InlineData("Device disk-vdb is already in the process of unplug")]
    [InlineData("Hot-unplug failed: guest is busy (power indicator blinking)")]
    public async Task A_guest_that_is_thinking_about_it_is_left_alone(string words)
    {
        Assert.Equal("device_del", (await UnplugAsync(words)).Mechanism);
    }

    [Fact]
    public async Task Any_other_refusal_is_told()
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => UnplugAsync("Bus 'pcie.0' does not support hotplugging"));
        Assert.Contains("does not support hotplugging", error.Message, StringComparison.Ordinal);
    }

    /// <summary>QEMU refuses to ask, and then the guest has let go all the same.</summary>
    private async Task<StepReport> UnplugAsync(string refusal)
    {
        var run = RunFolder.Of(_home, s_process);
        Directory.CreateDirectory(run.Path);
        var process = new RunProcess(run, ProcessFiles.Qemu, TimeProvider.System);
        await process.StartAsync("/bin/sleep", ["60"], Cancellation);
        var isGone = false;
        await using var monitor = new FakeMonitor(Answer, path: run.Commands);
        try
        {
            var hypervisor = new QemuHypervisor(new QemuOptions(), TimeProvider.System);
            return await hypervisor.ApplyAsync(
                hypervisor.Unplug(s_process, s_web, new DiskChain("vdb", [])).Switch,
                new StepContext(_home.Domain(s_web.Id), new ShortId("0badcafe"), new Progress<StepProgress>()), Cancellation);
        }
        finally
        {
            await process.KillAsync(CancellationToken.None);
        }

        string Answer(string line)
        {
            if (line.Contains("device_del", StringComparison.Ordinal))
            {
                isGone = true;
                return Refusal(line, "GenericError", refusal) + "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"disk-vdb\"}}\n";
            }

            return isGone ? Refusal(line, "DeviceNotFound", "not found") : $"{{\"return\": \"node\", \"id\": {FakeMonitor.Id(line)}}}\n";
        }
    }

    private static string Refusal(string line, string kind, string words) =>
        $"{{\"error\": {{\"class\": \"{kind}\", \"desc\": \"{words}\"}}, \"id\": {FakeMonitor.Id(line)}}}\n";
}
