using System.Globalization;
using Coppice.Cli.Reports;

namespace Coppice.Cli.Drawing;

/// <summary>What differs between two snapshots, for people.</summary>
internal sealed class DifferenceDrawing(DifferenceReport difference)
{
    // Whoever wants all of them has a program read them.
    private const int MostExtents = 20;

    public void Draw(Surroundings surroundings)
    {
        var output = surroundings.Output;
        if (difference.IsMoving)
        {
            surroundings.Error.WriteLine(
                "coppice: warning: the domain runs, and its head is read as its files are now: what was not written to them yet is not seen");
        }

        foreach (var disk in difference.Disks)
        {
            output.WriteLine(Printable.Line($"{disk.Target}: {Changes(disk)}"));
            foreach (var extent in disk.Extents.Take(MostExtents))
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  at {extent.Offset}: {Wording.Bytes(extent.Length)}"));
            }

            if (disk.ExtentCount > MostExtents)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  and {disk.ExtentCount - MostExtents} more, with --json"));
            }
        }

        output.WriteLine(difference.Definition.Count == 0 ? "definition: unchanged" : "definition:");
        foreach (var line in difference.Definition)
        {
            output.WriteLine($"  {Printable.Line(line)}");
        }
    }

    private string Changes(DiskChangeReport disk) => disk switch
    {
        { In: "first" } => $"kept by '{difference.From}' only",
        { In: "second" } => difference.To is { } to ? $"kept by '{to}' only" : "the head only has it",
        _ => $"{(disk.ChangedBytes == 0 ? "unchanged" : $"{Wording.Bytes(disk.ChangedBytes!.Value)} in {disk.ExtentCount} extent{(disk.ExtentCount == 1 ? "" : "s")}")}"
            + (disk.FromBytes == disk.ToBytes ? "" : $", and {Wording.Bytes(disk.ToBytes!.Value)} instead of {Wording.Bytes(disk.FromBytes!.Value)}"),
    };
}
