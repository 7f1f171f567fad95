using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage;

/// <summary>Gives frozen files a second name, so that the file system counts who needs them (R176).</summary>
internal static class LinkSteps
{
    public const string LinkKind = "storage.link";

    public static Step Link(string file, string name) => Step.Of(
        LinkKind, $"link {file} as {name}", StepUndo.Exact, new LinkArguments(file, name), StorageJson.Default.LinkArguments) with
    {
        Files = [new FileChange(FileEffect.Create, name, default)],
    };

    public static StepKind Kind => new StepKind<LinkArguments>(
        StorageJson.Default.LinkArguments,
        (link, _, _) =>
        {
            Apply(link);
            return Task.FromResult(StepReport.Nothing);
        },
        (link, _, _) =>
        {
            Undo(link);
            return Task.CompletedTask;
        },
        (link, _, _) => Task.FromResult(Probe(link)));

    private static void Apply(LinkArguments link)
    {
        switch (Probe(link))
        {
            case StepOutcome.Unknown:
                throw new CoppiceException(ErrorKind.AlreadyExists, link.Name, "exists already", "move it away");
            case StepOutcome.NotDone:
                DurableFolder.Create(Path.GetDirectoryName(link.Name)!);
                DurableFile.Link(link.File, link.Name);
                break;
            default:
                DurableFolder.Flush(Path.GetDirectoryName(link.Name)!);
                break;
        }
    }

    /// <summary>
    /// The name was made for this step alone, and goes also if the first one has gone since; but not as the last one: what it leads
    /// to may be needed.
    /// </summary>
    private static void Undo(LinkArguments link)
    {
        var file = FileSystem.Look(link.File);
        if (FileSystem.Look(link.Name) is { Links: > 1 } name && (file is null || file.Identity == name.Identity))
        {
            DurableFile.Remove(link.Name);
        }

        if (Path.GetDirectoryName(link.Name) is { } folder && Directory.Exists(folder))
        {
            DurableFolder.Flush(folder);
        }

        OverlayPlacement.RemoveFolders(link.Name);
    }

    private static StepOutcome Probe(LinkArguments link) => (FileSystem.Look(link.File), FileSystem.Look(link.Name)) switch
    {
        (_, null) => StepOutcome.NotDone,
        ({ } file, { } name) when file.Identity == name.Identity => StepOutcome.Done,
        _ => StepOutcome.Unknown,
    };
}
