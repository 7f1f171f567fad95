using System.Collections.Concurrent;
using System.Text.Json;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Tests.Qemu;

/// <summary>Tap devices on their way to QEMU, as far as that needs no rights: the real ones are for the live tests.</summary>
public sealed class TapTests : IDisposable
{
    private const string Missing = "no-such-net";

    private static readonly ShortId s_process = new("00000001");

    private readonly HomeFolder _home = new(Directory.CreateTempSubdirectory("ct-").FullName);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private RunFolder Run => RunFolder.Of(_home, s_process);

    public void Dispose() => Directory.Delete(_home.Path, recursive: true);

    [Fact]
    public void A_card_on_a_tap_device_gets_a_hub_with_a_drain_and_no_name_of_the_host_is_on_the_command_line()
    {
        var domain = Domain(new TapDevice { Bridge = "br0", Name = "web0" }, null, new TapDevice { Name = "tap7", Exists = true });
        var line = QemuCommandLine.Of(new LaunchRequest(s_process, domain, [], MemoryImage.None));
        Assert.Equal(
            ["hubport,id=net0,hubid=0", "hubport,id=drain0,hubid=0", "user,id=net1", "hubport,id=net2,hubid=2", "hubport,id=drain2,hubid=2"],
            line.Where((_, i) => i > 0 && line[i - 1] == "-netdev"));
        Assert.Equal(
            ["net0", "net1", "net2"],
            line.Where(o => o.StartsWith("virtio-net-pci", StringComparison.Ordinal)).Select(o => o.Split("netdev=")[1].Split(',')[0]));
        Assert.DoesNotContain(line, o => o.Contains("br0", StringComparison.Ordinal) || o.Contains("tap7", StringComparison.Ordinal) || o.Contains("web0", StringComparison.Ordinal));
        Assert.Equal([(0, "wire0", "plug0"), (2, "wire2", "plug2")], TapPlug.Of(domain).Select(p => (p.Card, p.Wire, p.Port)));
    }

    [Fact]
    public void Cables_are_as_the_definition_says_where_it_says_so()
    {
        var domain = Domain(null, null, null);
        domain = domain with { Devices = [.. domain.Devices.OfType<NetworkDevice>().Select((n, i) => n with { LinkIsUp = i switch { 0 => null, 1 => true, _ => false } })] };
        Assert.Equal([KeyValuePair.Create("nic1", true), KeyValuePair.Create("nic2", false)], DeviceArguments.Cables(domain).AsEnumerable());
    }

    [Fact]
    public async Task A_bridge_or_device_that_is_missing_is_told_with_what_makes_it()
    {
        var bridge = await RefusedAsync(new TapDevice { Bridge = Missing });
        Assert.Equal((ErrorKind.NotFound, $"bridge '{Missing}' of interface 'a' of domain 'web'"), (bridge.Kind, bridge.Subject));
        Assert.Contains($"ip link add {Missing} type bridge", bridge.NextStep, StringComparison.Ordinal);
        var tap = await RefusedAsync(new TapDevice { Name = Missing, Exists = true });
        Assert.Equal((ErrorKind.NotFound, $"tap device '{Missing}' of interface 'a' of domain 'web'"), (tap.Kind, tap.Subject));
        Assert.Contains($"ip tuntap add dev {Missing} mode tap", tap.NextStep, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("echo 'access denied by acl file' >&2; exit 1", "access denied by acl file", "allow br0")]
    [InlineData("printf 'no \\033[2J tun' >&2; exit 1", "no  [2J tun", "chmod u+s")]
    [InlineData("exit 0", "it gives no reason", "bridge.conf")]
    public async Task What_the_helper_says_is_told(string does, string problem, string next)
    {
        var program = $"{_home.Path}/helper";
        await File.WriteAllTextAsync(program, $"#!/bin/sh\n{does}\n", Cancellation);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => new BridgeHelper(["/nowhere/helper", program], TimeProvider.System)
            .OpenAsync(Plug(new TapDevice { Bridge = "br0" }), Cancellation));
        Assert.Equal("bridge 'br0' of interface 'a' of domain 'web'", error.Subject);
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
        Assert.Contains(next, error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_helper_that_may_not_be_started_is_told_with_who_may()
    {
        var program = $"{_home.Path}/helper";
        await File.WriteAllTextAsync(program, "#!/bin/sh\n", Cancellation);
        File.SetUnixFileMode(program, UnixFileMode.UserRead);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => new BridgeHelper([program], TimeProvider.System)
            .OpenAsync(Plug(new TapDevice { Bridge = "br0" }), Cancellation));
        Assert.Equal("bridge 'br0' of interface 'a' of domain 'web'", error.Subject);
        Assert.Contains($"{program} cannot be started", error.Problem, StringComparison.Ordinal);
        Assert.Contains("group", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_the_helper_the_package_that_has_it_is_named()
    {
        var error = await Assert.ThrowsAsync<CoppiceException>(() => new BridgeHelper(["/nowhere/helper"], TimeProvider.System)
            .OpenAsync(Plug(new TapDevice { Bridge = "br0" }), Cancellation));
        Assert.Contains("qemu-system-common", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_comes_over_a_pair_of_sockets_and_nothing_comes_when_none_was_sent()
    {
        using var first = UnixDescriptors.NewPair(out var inherited);
        using var second = new System.Net.Sockets.Socket(new System.Net.Sockets.SafeSocketHandle(inherited.DangerousGetHandle(), ownsHandle: false));
        Assert.Null(UnixDescriptors.TryReceive(first));
        var path = $"{_home.Path}/note";
        File.WriteAllText(path, "carried");
        using (var file = File.OpenHandle(path))
        {
            Assert.True(UnixDescriptors.TrySend(second, "x"u8, file));
        }

        using var received = UnixDescriptors.TryReceive(first);
        using var reader = new StreamReader(new FileStream(received!, FileAccess.Read));
        Assert.Equal("carried", reader.ReadToEnd());
        inherited.Dispose();
    }

    [Fact]
    public async Task A_guest_goes_on_although_its_tap_device_cannot_be_had_and_the_step_is_tried_again()
    {
        var sent = new ConcurrentQueue<string>();
        var error = await Assert.ThrowsAsync<CoppiceException>(() => TakeOverAsync(isPlugged: false, sent));
        Assert.Equal((ErrorKind.NotFound, $"bridge '{Missing}' of interface of domain 'web'"), (error.Kind, error.Subject));
        Assert.Equal(["set_link", "netdev_del wire0", "closefd wire0", "cont"], sent);
        Assert.True(File.Exists(Run.WentOn));
    }

    [Fact]
    public async Task What_is_plugged_in_already_stays_as_it_is()
    {
        var sent = new ConcurrentQueue<string>();
        Assert.NotNull((await TakeOverAsync(isPlugged: true, sent)).WentOnAfter);
        Assert.Equal(["set_link", "cont"], sent);
    }

    /// <summary>The device can be opened once, so QEMU must not keep it beside a plug that did not come about.</summary>
    [Theory]
    [InlineData("getfd", "getfd wire0")]
    [InlineData("\"id\":\"wire0\"", "getfd wire0", "netdev_add wire0")]
    [InlineData("\"id\":\"plug0\"", "getfd wire0", "netdev_add wire0", "netdev_add plug0")]
    public async Task A_plug_that_qemu_refuses_leaves_nothing_with_it(string refused, params string[] before)
    {
        var sent = new ConcurrentQueue<string>();
        await using var monitor = new FakeMonitor(line =>
        {
            sent.Enqueue(Command(line));
            return !line.Contains("_del", StringComparison.Ordinal) && line.Contains(refused, StringComparison.Ordinal)
                ? NotFound(line)
                : FakeMonitor.Ok(line);
        });
        await using var machine = new Machine(await monitor.ConnectAsync(), TimeProvider.System);
        using var file = File.OpenHandle("/dev/null");
        await Assert.ThrowsAsync<QmpRefusalException>(
            () => TapWiring.PlugAsync(machine, Plug(new TapDevice { Name = "tap7", Exists = true }), file, Cancellation));
        Assert.Equal([.. before, "netdev_del wire0", "closefd wire0"], sent);
    }

    private static string NotFound(string line) =>
        $$"""{"error": {"class": "DeviceNotFound", "desc": "Device 'plug0' not found"}, "id": {{FakeMonitor.Id(line)}}}""" + "\n";

    /// <summary>The command, with what it is about if that has an id.</summary>
    private static string Command(string line)
    {
        var message = JsonDocument.Parse(line).RootElement;
        var arguments = message.Find("arguments") ?? default;
        return $"{message.TextOrEmpty("execute")} {arguments.TextOrEmpty("id")}{arguments.TextOrEmpty("fdname")}".TrimEnd();
    }

    private async Task<StepReport> TakeOverAsync(bool isPlugged, ConcurrentQueue<string> sent)
    {
        var hypervisor = new QemuHypervisor(new QemuOptions(), TimeProvider.System);
        DurableFolder.Create(Run.Path);
        var process = new RunProcess(Run, ProcessFiles.Qemu, TimeProvider.System);
        await process.StartAsync("/bin/sleep", ["60"], Cancellation);
        await using var monitor = new FakeMonitor(
            line =>
            {
                sent.Enqueue(Command(line));
                return isPlugged || !line.Contains("set_link", StringComparison.Ordinal) ? FakeMonitor.Ok(line) : NotFound(line);
            },
            path: Run.Commands);
        try
        {
            var definition = Domain(new TapDevice { Bridge = Missing });
            return await hypervisor.ApplyAsync(
                hypervisor.TakeOver(s_process, definition, run: true),
                new StepContext(_home.Domain(definition.Id), new ShortId("0badcafe"), new Progress<StepProgress>()), Cancellation);
        }
        finally
        {
            await process.KillAsync(CancellationToken.None);
        }
    }

    private static Task<CoppiceException> RefusedAsync(TapDevice tap) => Assert.ThrowsAsync<CoppiceException>(
        () => new HostTaps(new BridgeHelper([], TimeProvider.System), TimeProvider.System).OpenAsync(Plug(tap), Cancellation));

    private static TapPlug Plug(TapDevice tap) => new(0, "interface 'a' of domain 'web'", tap);

    private static DomainDefinition Domain(params TapDevice?[] taps) => new()
    {
        Id = new DomainId(Guid.Empty), Name = "web", Memory = new ByteCount(64 << 20), Devices = [.. taps.Select(t => new NetworkDevice { Tap = t })],
    };
}
