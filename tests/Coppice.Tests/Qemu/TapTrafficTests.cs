using Coppice.Core;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Processes;

namespace Coppice.Tests.Qemu;

/// <summary>What QEMU and the kernel say of networks, in their words.</summary>
public sealed class TapTrafficTests
{
    private const string Told = "hub 2\r\n \\ plug2: wire2: index=0,type=tap,fd=23\r\n \\ drain2\r\n \\ net2: nic2: index=0,type=nic,model=e1000\r\n"
        + "hub 0\r\n \\ plug0: wire0: index=0,type=tap,fd=11\r\n \\ net0: nic0: index=0,type=nic,model=virtio-net-pci\r\n"
        + "nic1: index=0,type=nic,model=virtio-net-pci\r\n \\ net1: index=0,type=user,net=10.0.2.0,restrict=off\r\n";

    private static readonly string[] s_counted =
    [
        "Inter-|   Receive                                                |  Transmit",
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
        "    lo:   25377     318    0    0    0     0          0         0    25377     318    0    0    0     0       0          0",
        " tap7:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
    ];

    [Fact]
    public void The_files_of_tap_devices_are_found_by_card() =>
        Assert.Equal([KeyValuePair.Create(0, 11), KeyValuePair.Create(2, 23)], TapTraffic.FilesIn(Told));

    [Theory]
    [InlineData("")]
    [InlineData("wire0: type=tap,fd=")]
    [InlineData("wire: index=0,type=tap,fd=11")]
    [InlineData("wire99999999999: index=0,type=tap,fd=11")]
    public void What_is_not_understood_is_no_tap_device(string told) => Assert.Empty(TapTraffic.FilesIn(told));

    [Fact]
    public void What_the_host_sends_its_guest_receives()
    {
        var found = TapTraffic.Find(s_counted, "tap7");
        Assert.Equal(new TrafficFigures(new ByteCount(9), 10, 11, 12), found?.Received);
        Assert.Equal(new TrafficFigures(new ByteCount(1), 2, 3, 4), found?.Sent);
        Assert.Null(TapTraffic.Find(s_counted, "tap"));
        Assert.Null(TapTraffic.Find(["tap7: 1 2 3"], "tap7"));
    }

    [Fact]
    public void Of_a_process_that_is_gone_nothing_is_known()
    {
        Assert.Null(ProcessFigures.Times(int.MaxValue));
        Assert.Null(ProcessFigures.Resident(int.MaxValue));
        Assert.Null(TapTraffic.DeviceOf(int.MaxValue, 1));
        Assert.Null(TapTraffic.Of(int.MaxValue, "lo"));
        Assert.True(ProcessFigures.Times(Environment.ProcessId)?.Total > TimeSpan.Zero);
        Assert.True(ProcessFigures.Resident(Environment.ProcessId)?.Bytes > 0);
    }
}
