using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>Internal snapshots of the images of a <see cref="FakeHost"/> that no process has open: made, removed, copied out.</summary>
internal sealed class FakeInternals(FakeHost host)
{
    private const string CreateKind = "store.create-inside", ExpectKind = "store.expect-inside", RemoveKind = "store.remove-inside",
        CopyKind = "store.copy";

    private readonly FakeFiles _files = new(host);

    public static Step Create(Layer snapshot) => Of(CreateKind, StepUndo.Exact, snapshot);

    public static Step Expect(Layer snapshot) => Of(ExpectKind, StepUndo.Exact, snapshot);

    public static Step Remove(Layer snapshot) => Of(RemoveKind, StepUndo.None, snapshot);

    public static Step Copy(Layer copy, Layer snapshot, Layer? parent) => Step.Of(
        CopyKind, $"copy {copy.Path}", StepUndo.UnlessSwitched, new CopyArguments(copy, snapshot, parent), FakeJson.Default.CopyArguments);

    public bool Has(Layer snapshot) =>
        host.State.Images.TryGetValue(snapshot.Path, out var image) && image.Internals.ContainsKey(snapshot.Inside!.Tag);

    /// <summary>Carries a step out if it is one of these.</summary>
    public bool TryApply(Step step)
    {
        switch (step.Kind)
        {
            case CreateKind:
                CreateIn(step.Read(FakeJson.Default.Layer));
                return true;
            case ExpectKind:
                RequireAbsent(step.Read(FakeJson.Default.Layer));
                return true;
            case RemoveKind:
                RemoveFrom(step.Read(FakeJson.Default.Layer));
                return true;
            case CopyKind:
                Copy(step.Read(FakeJson.Default.CopyArguments));
                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes a step back if it is one of these.</summary>
    public void Undo(Step step)
    {
        switch (step.Kind)
        {
            case CreateKind or ExpectKind when !host.State.Uses(step.Read(FakeJson.Default.Layer).Path):
                RemoveFrom(step.Read(FakeJson.Default.Layer));
                break;
            case CopyKind when IsCopied(step):
                _files.Remove(step.Read(FakeJson.Default.CopyArguments).Copy.Path);
                break;
        }
    }

    /// <summary>Whether a step took effect; null if it is none of these.</summary>
    public bool? Probe(Step step) => step.Kind switch
    {
        CreateKind or ExpectKind => Has(step.Read(FakeJson.Default.Layer)),
        RemoveKind => !Has(step.Read(FakeJson.Default.Layer)),
        CopyKind => IsCopied(step),
        _ => null,
    };

    private static Step Of(string kind, StepUndo undo, Layer snapshot) =>
        Step.Of(kind, $"{kind} {snapshot.Inside!.Tag} in {snapshot.Path}", undo, snapshot, FakeJson.Default.Layer) with
        {
            Files = [new FileChange(FileEffect.Change, snapshot.Path, default)],
        };

    private bool IsCopied(Step step) => host.State.Images.ContainsKey(step.Read(FakeJson.Default.CopyArguments).Copy.Path);

    private void RequireAbsent(Layer snapshot)
    {
        if (Has(snapshot))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, $"{snapshot.Inside!.Tag} in {snapshot.Path}", "is there already");
        }
    }

    private void CreateIn(Layer snapshot)
    {
        _files.Require(snapshot.Path);
        _files.RequireUnused(snapshot);
        RequireAbsent(snapshot);
        host.Act($"create inside {snapshot.Path}", s => s.With(snapshot.Path, i => i with
        {
            Internals = i.Internals.Add(snapshot.Inside!.Tag, new FakeInternal(i.Blocks, null)),
        }));
    }

    private void RemoveFrom(Layer snapshot)
    {
        if (Has(snapshot))
        {
            _files.RequireUnused(snapshot);
            host.Act($"remove inside {snapshot.Path}", s => s.WithoutInternal(snapshot.Path, snapshot.Inside!.Tag));
        }
    }

    private void Copy(CopyArguments arguments)
    {
        var (copy, snapshot, parent) = arguments;
        if (!Has(snapshot))
        {
            throw new CoppiceException(ErrorKind.NotFound, $"{snapshot.Inside!.Tag} in {snapshot.Path}", "is missing");
        }

        var blocks = host.State.Images[snapshot.Path].Internals[snapshot.Inside!.Tag].Blocks;
        _files.Add(copy.Path, new FakeImage(copy.Format, parent?.Path, copy.VirtualSize, blocks));
    }
}
