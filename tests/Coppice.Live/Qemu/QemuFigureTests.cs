using Coppice.Core;

namespace Coppice.Live.Qemu;

/// <summary>What the host counts of guests that use something.</summary>
public sealed class QemuFigureTests
{
    [Fact]
    public async Task What_the_host_sends_to_a_tap_device_without_a_name_of_its_own_is_what_the_guest_has_received()
    {
        HostNetworks.Require();
        await using var bed = new QemuBed();
        var plain = bed.Definition;
        bed.Definition = plain with
        {
            Devices = [.. plain.Devices, new NetworkDevice { Mac = "52:54:00:00:00:01" }, new NetworkDevice { Mac = "52:54:00:00:00:02", Tap = new TapDevice() }],
        };
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        var cards = (await bed.Hypervisor.MeasureAsync(bed.Folder, process, bed.Definition, QemuBed.Cancellation))!.Cards;
        Assert.Equal(new CardFigures(0, "52:54:00:00:00:01"), cards[0]);
        Assert.NotNull(cards[1].Device);

        // The neighbour need not answer, since its address is known.
        await HostNetworks.IpAsync("address", "add", "192.0.2.1/24", "dev", cards[1].Device!);
        await HostNetworks.IpAsync("neighbour", "add", "192.0.2.2", "lladdr", "52:54:00:00:00:02", "dev", cards[1].Device!);
        using var socket = new System.Net.Sockets.UdpClient();
        for (var attempt = 0; attempt < 500 && cards[1].Received is not { Packets: > 0, Bytes.Bytes: >= 100 }; attempt++)
        {
            await socket.SendAsync(new byte[100], "192.0.2.2", 9, QemuBed.Cancellation);
            await bed.WaitAsync();
            cards = (await bed.Hypervisor.MeasureAsync(bed.Folder, process, bed.Definition, QemuBed.Cancellation))!.Cards;
        }

        // The host may have asked for routers of its own accord, in fewer bytes.
        Assert.True(cards[1].Received is { Packets: > 0, Bytes.Bytes: >= 100 });
        Assert.Equal(0, cards[1].Sent?.Packets);
    }
}
