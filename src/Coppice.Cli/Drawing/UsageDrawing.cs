using Coppice.Cli.Reports;

namespace Coppice.Cli.Drawing;

/// <summary>What a domain takes on disk, for people.</summary>
internal sealed class UsageDrawing(UsageReport usage)
{
    public void Draw(Surroundings surroundings)
    {
        var sheet = new Sheet("NAME", "OWN", "SHARED", "MEMORY", "");
        foreach (var reference in usage.References)
        {
            sheet.Add(
                reference.Kind == Word.Tip ? $"tip {reference.Name}" : reference.Name,
                Wording.Bytes(reference.OwnBytes),
                Wording.Bytes(reference.SharedBytes),
                reference.MemoryBytes == 0 ? "-" : Wording.Bytes(reference.MemoryBytes),
                reference.IsInside ? "inside images" : "");
        }

        sheet.Draw(surroundings);
        string[] parts =
        [
            $"{Wording.Bytes(usage.TotalBytes)} in all",
            .. usage.BroughtBytes > 0 ? [$"{Wording.Bytes(usage.BroughtBytes)} of it in images that you brought, or that are borrowed"] : Array.Empty<string>(),
            .. usage.LinkedBytes > 0 ? [$"{Wording.Bytes(usage.LinkedBytes)} of it in files that have other names too"] : Array.Empty<string>(),
        ];
        surroundings.Output.WriteLine(string.Join(", ", parts));
    }
}
