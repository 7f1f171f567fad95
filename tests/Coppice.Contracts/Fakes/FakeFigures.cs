using System.Globalization;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>What guests of a <see cref="FakeHost"/> have used: each number that one counts takes time, and is written to its disks.</summary>
internal static class FakeFigures
{
    private static readonly TimeSpan s_timeOfNumber = TimeSpan.FromSeconds(1);

    public static int PidOf(ShortId process) =>
        1 + (int)(ulong.Parse(process.Value[^8..], NumberStyles.HexNumber, CultureInfo.InvariantCulture) % 4_000_000);

    public static GuestFigures? Of(FakeHost host, ShortId id, DomainDefinition definition)
    {
        if (host.Find(id) is not { } process)
        {
            return null;
        }

        var time = new ProcessorTime(process.Counter * s_timeOfNumber, TimeSpan.Zero);
        var drives = process.Drives.Where(d => d.IsPlugged).ToDictionary(d => d.Target);
        return new GuestFigures
        {
            Processor = time,
            ResidentMemory = new ByteCount(1 << 20),
            Balloon = definition.Devices.OfType<BalloonDevice>().Any(b => b.Present) ? definition.Memory : null,
            Vcpus = [.. Enumerable.Range(0, definition.VirtualCpus).Select(n => new VcpuFigures(n, time))],
            Disks =
            [
                .. definition.Disks.Where(d => drives.ContainsKey(d.Target)).Select(d => new DiskFigures(
                    d.Target, Requests(1), Requests(drives[d.Target].IsWritable ? process.Counter : 0), Requests(0))),
            ],
            Cards = [.. definition.Devices.OfType<NetworkDevice>().Select((card, place) => Card(new CardFigures(place, card.Mac), card.Tap, process))],
        };
    }

    private static RequestFigures Requests(long count) => new(count, new ByteCount(count * 512), count * s_timeOfNumber, 0);

    private static CardFigures Card(CardFigures card, TapDevice? tap, FakeProcess process) =>
        tap?.Name is { } name && process.Taps.Contains(name)
            ? card with { Device = name, Received = new TrafficFigures(default, 0, 0, 0), Sent = new TrafficFigures(default, 0, 0, 0) }
            : card;
}
