using Coppice.Core;
using Coppice.Files;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>
/// Lets the header of an image name another one that it builds on. Only the header is written, in one piece: a kill leaves the
/// old name or the new one. A file that has other names is others' too, and is not written.
/// </summary>
internal sealed class RelinkSteps(QemuImg qemuImg)
{
    public const string RelinkKind = "storage.relink";

    public static Step Relink(Layer layer, Layer from, Layer to) => Step.Of(
        RelinkKind, $"let {layer.Path} build on {to.Path}", StepUndo.Exact,
        new RelinkArguments(layer.Path, BackingOf(layer, from), BackingOf(layer, to)), StorageJson.Default.RelinkArguments) with
    {
        Files = [new FileChange(FileEffect.Change, layer.Path, default)],
    };

    public StepKind Kind => new StepKind<RelinkArguments>(
        StorageJson.Default.RelinkArguments,
        async (relink, _, cancellation) =>
        {
            await NameAsync(relink.Path, relink.From, relink.To, cancellation).ConfigureAwait(false);
            return StepReport.Nothing;
        },
        (relink, _, cancellation) => NameAsync(relink.Path, relink.To, relink.From, cancellation),
        (relink, _, _) => Task.Run(() => Probe(relink)));

    private static BackingArguments BackingOf(Layer layer, Layer backing) =>
        new(backing.Path, LayerFileName.BackingName(layer.Path, backing.Path), backing.Format);

    private async Task NameAsync(string path, BackingArguments from, BackingArguments to, CancellationToken cancellation)
    {
        var found = NameIn(path);
        if (Leads(path, found, to))
        {
            DurableFile.Flush(path);
            return;
        }

        if (!Leads(path, found, from))
        {
            throw new CoppiceException(
                ErrorKind.Damaged, $"image {path}", $"builds on {found ?? "nothing"}, not on {from.Path}",
                "something else has changed it: restore it, or put its link back with qemu-img rebase -u");
        }

        if (FileSystem.Look(path) is { Links: > 1 and var links })
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"image {path}", $"has {links} names, as one that domains share, and is not written",
                "try again when the others are gone");
        }

        await qemuImg.RelinkAsync(path, to, cancellation).ConfigureAwait(false);
        DurableFile.Flush(path);
    }

    private static StepOutcome Probe(RelinkArguments relink)
    {
        var found = NameIn(relink.Path);
        return Leads(relink.Path, found, relink.To) ? StepOutcome.Done
            : Leads(relink.Path, found, relink.From) ? StepOutcome.NotDone
            : StepOutcome.Unknown;
    }

    private static string? NameIn(string path) => ImageErrors.Guard($"layer {path}", () =>
    {
        using var image = Qcow2Image.Open(path);
        return image.Header.BackingName;
    });

    // An image that somebody else made may name the same file in another way.
    private static bool Leads(string path, string? name, BackingArguments backing) =>
        name is not null && (name == backing.Name || Path.GetFullPath(name, Path.GetDirectoryName(path)!) == backing.Path);
}
