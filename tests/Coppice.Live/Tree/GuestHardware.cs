using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Live.Tree;

/// <summary>The hardware that people use, put into a witness guest, and what shows whether it works.</summary>
internal static class GuestHardware
{
    /// <summary>The address of the gateway that a user network has.</summary>
    private const string Gateway = "10.0.2.2";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Two processors, both usual network cards, a screen and a balloon.</summary>
    public static string Usual(string xml, string folder) => With(xml, 2);

    /// <summary>The same with some number of processors.</summary>
    public static string With(string xml, int cpus) => xml
        .Replace("<vcpu>1</vcpu>", $"<vcpu>{cpus}</vcpu>", StringComparison.Ordinal)
        .Replace("<rng ", """
            <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
            <interface type='user'><mac address='52:54:00:00:00:02'/><model type='e1000'/></interface>
            <video><model type='vga'/></video><graphics type='vnc'/>
            <memballoon model='virtio'/>
            <rng 
            """.TrimEnd('\n'), StringComparison.Ordinal);

    /// <summary>Both cards send and receive: what a driver has in RAM and what its card knows fit each other.</summary>
    public static async Task ReachNetworksAsync(LiveDomain domain, string name = LiveDomain.Name)
    {
        Assert.Contains(" 0% packet loss", await TypeAsync(domain, $"ping -c 1 -W 20 {Gateway}", name), StringComparison.Ordinal);
        await using var witness = await domain.ConnectAsync(name);
        Assert.True(await witness.CardAnswersAsync(), "the e1000 hears no answer");
    }

    /// <summary>Each processor carries out what it is given.</summary>
    public static async Task UseProcessorsAsync(LiveDomain domain, int count)
    {
        var said = await TypeAsync(domain, $"for c in $(seq 0 {count - 1}); do taskset -c $c cut -d' ' -f39 /proc/self/stat; done; nproc");
        Assert.Equal(
            [.. Enumerable.Range(0, count), count],
            said.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && l.All(char.IsAsciiDigit)).Select(int.Parse));
    }

    /// <summary>Types a command into the guest's shell and reads what it prints.</summary>
    public static async Task<string> TypeAsync(LiveDomain domain, string command, string name = LiveDomain.Name) =>
        await GuestShell.RunAsync((await domain.Home.ShowAsync(name, Cancellation)).Folder, command, Cancellation);

    /// <summary>Puts a word on an empty screen, without a cursor that blinks.</summary>
    public static Task DrawAsync(LiveDomain domain, string word) =>
        TypeAsync(domain, $@"printf '\033[2J\033[H\033[?25l{word}' > /dev/tty1");

    /// <summary>A checksum of the picture that the screen shows.</summary>
    public static async Task<string> LookAsync(LiveDomain domain)
    {
        var picture = Path.Combine(domain.Folder, "screen.ppm");
        await using (var qmp = await ConnectAsync(domain))
        {
            await qmp.ExecuteAsync("screendump", new JsonObject { ["filename"] = picture }, Cancellation);
        }

        return await HashAsync(picture);
    }

    /// <summary>Blows the balloon up until this is left of the guest's RAM, or lets it shrink.</summary>
    /// <returns>The bytes that the guest gave back.</returns>
    public static async Task<long> BalloonAsync(LiveDomain domain, long target, string name = LiveDomain.Name)
    {
        await using var qmp = await ConnectAsync(domain, name);
        var before = await SizeAsync();
        await qmp.ExecuteAsync("balloon", new JsonObject { ["value"] = target }, Cancellation);
        await Aftermath.UntilAsync(
            async () => target < before ? await SizeAsync() <= target : await SizeAsync() >= target, "the balloon does not obey");
        return before - await SizeAsync();

        async Task<long> SizeAsync() => await ReadBalloonAsync(qmp);
    }

    /// <summary>The bytes of RAM that the balloon leaves the guest.</summary>
    public static async Task<long> BalloonAsync(LiveDomain domain)
    {
        await using var qmp = await ConnectAsync(domain);
        return await ReadBalloonAsync(qmp);
    }

    public static async Task<string> HashAsync(string file)
    {
        await using var stream = File.OpenRead(file);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, Cancellation));
    }

    /// <summary>The monitor of whoever only looks, of the process that runs the guest.</summary>
    private static async Task<QmpConnection> ConnectAsync(LiveDomain domain, string name = LiveDomain.Name)
    {
        var view = await domain.Home.ShowAsync(name, Cancellation);
        var folder = RunFolder.Of(view.Folder.Home, view.Catalog.Head.Process!.Value);
        return await QmpConnection.ConnectAsync(
            folder.Readers, "the guest", () => true, TimeProvider.System, TimeSpan.FromSeconds(30), Cancellation);
    }

    private static async Task<long> ReadBalloonAsync(QmpConnection qmp) =>
        (await qmp.ExecuteAsync("query-balloon", null, Cancellation)).NumberOrZero("actual");
}
