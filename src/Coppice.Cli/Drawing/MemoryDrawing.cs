using Coppice.Cli.Reports;

namespace Coppice.Cli.Drawing;

/// <summary>Memory volumes, and how domains use them, for people.</summary>
internal static class MemoryDrawing
{
    public static void Draw(IReadOnlyList<VolumeReport> volumes, bool isThere, Surroundings surroundings)
    {
        if (volumes.Count == 0)
        {
            surroundings.Output.WriteLine(isThere ? "the memory volume is not mounted: coppice pool mount" : "no memory volume");
            return;
        }

        var sheet = new Sheet("MEMORY VOLUME", "SIZE", "FREE", "PROMISED", "GUESTS", "");
        foreach (var volume in volumes)
        {
            sheet.Add(
                volume.Folder, Wording.Bytes(volume.CapacityBytes), Wording.Bytes(volume.FreeBytes), Wording.Bytes(volume.PromisedBytes),
                $"{volume.Guests}", volume.IsVolatile ? "volatile" : "");
        }

        sheet.Draw(surroundings);
    }

    public static void Draw(MemoryStatusReport status, Surroundings surroundings)
    {
        var sheet = new Sheet(2);
        sheet.Add("domain", status.Domain);
        sheet.Add("memory", Wording.Bytes(status.RamBytes));
        sheet.Add("checkpoints now", status.Now is null ? "off" : Way(status.Now, status));
        if (status.MissingBytes > 0)
        {
            sheet.Add("no room", $"a checkpoint is refused now: {Wording.Bytes(status.MissingBytes)} are missing on the memory volume (prune, gc, stop others)");
        }

        sheet.Add("after a start", Way(status.AfterStart, status));
        if (status.Reason.Length > 0)
        {
            sheet.Add("because", Printable.Line(status.Reason));
            sheet.Add("faster", status.NextStep);
        }
        else if (status.Now is not null && status.Now != status.AfterStart)
        {
            sheet.Add("faster", $"stop and start it: coppice stop {status.Domain}");
        }

        sheet.Draw(surroundings);
    }

    private static string Way(string format, MemoryStatusReport status) => format == Word.Mapped
        ? "mapped: the guest does not wait for its RAM" + (status.IsVolatile ? "; gone after a loss of power" : "")
        : "stream: the guest waits while its RAM is written";
}
