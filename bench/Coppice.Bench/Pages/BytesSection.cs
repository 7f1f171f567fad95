using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>What reaches the disks.</summary>
internal static class BytesSection
{
    public static void Write(Page page, PartResult part)
    {
        var size = part.Sizes.First();
        page.Heading(2, "What is written to the disk");
        page.Text($"""
            MB that the kernel counts at the disk, and at the loop device that the memory volume is on, {size}. A checkpoint is of an idle guest,
            and everything is flushed afterwards. Then the guest dirties 65 MB/s of 200 MB: what a minute of that costs once it has gone on for as long
            as the kernel leaves pages dirty, while nobody takes a checkpoint. Without a volume its RAM is nobody's file.
            """);
        var table = new MarkdownTable(
            1, "", "a checkpoint, disk", "a checkpoint, volume", "a minute, disk", "a minute, volume", "a minute, dirtied by the guest");
        foreach (var subject in part.Subjects)
        {
            table.Add(
                subject, Of(BytesPart.Checkpoint, BytesPart.Disk), Of(BytesPart.Checkpoint, BytesPart.Volume),
                Of(BytesPart.Minute, BytesPart.Disk), Of(BytesPart.Minute, BytesPart.Volume), Of(BytesPart.Minute, BytesPart.Dirtied));

            string Of(string condition, string measure) => Figures.Megabytes(part.Find(subject, size, condition, measure));
        }

        page.Table(table);
    }
}
