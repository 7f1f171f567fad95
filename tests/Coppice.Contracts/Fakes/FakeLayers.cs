using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>Layers that are files of their own on a <see cref="FakeHost"/>: made, adopted, grown, relinked, mended, removed.</summary>
internal sealed class FakeLayers(FakeHost host)
{
    private const string OverlayKind = "store.overlay", AdoptKind = "store.adopt", VariablesKind = "store.variables", ResizeKind = "store.resize",
        CreateKind = "store.image", RelinkKind = "store.relink", RepairKind = "store.repair-leaks", RemoveKind = "store.remove", RemoveUnwrittenKind = "store.remove-unwritten";

    private readonly FakeFiles _files = new(host);

    public static Step CreateOverlay(Layer overlay, Layer backing) => Step.Of(
        OverlayKind, $"create {overlay.Path}", StepUndo.UnlessSwitched, new OverlayArguments(overlay, backing), FakeJson.Default.OverlayArguments);

    public static Step CreateImage(Layer image) => Step.Of(
        CreateKind, $"create {image.Path}", StepUndo.UnlessSwitched, new ImageArguments(image), FakeJson.Default.ImageArguments);

    public static Step AdoptOverlay(Layer overlay, ImmutableArray<Layer> below) => Step.Of(
        AdoptKind, $"use {overlay.Path}", StepUndo.Exact, new OverlayArguments(overlay, below[0]), FakeJson.Default.OverlayArguments);

    public static Step CreateVariables(Layer variables, string template) => Step.Of(
        VariablesKind, $"create {variables.Path}", StepUndo.Exact, new VariablesArguments(variables, template),
        FakeJson.Default.VariablesArguments) with
    {
        Files = [new FileChange(FileEffect.Create, variables.Path, variables.VirtualSize)],
    };

    public static Step Resize(Layer layer, ByteCount size) => Step.Of(
        ResizeKind, $"grow {layer.Path}", StepUndo.None, new ResizeArguments(null, layer, size), FakeJson.Default.ResizeArguments);

    public static Step Relink(Layer layer, Layer from, Layer to) => Step.Of(
        RelinkKind, $"relink {layer.Path}", StepUndo.Exact, new RelinkArguments(layer, from.Path, to.Path), FakeJson.Default.RelinkArguments);

    public static Step RepairLeaks(Layer image) => Step.Of(
        RepairKind, $"give back clusters of {image.Path}", StepUndo.None, new RemoveArguments(image.Path), FakeJson.Default.RemoveArguments);

    public static Step Remove(string path, ByteCount bytes) => Remove(RemoveKind, $"remove {path}", path, bytes);

    public static Step RemoveUnwritten(Layer overlay) =>
        Remove(RemoveUnwrittenKind, $"remove {overlay.Path} unless written", overlay.Path, default);

    /// <summary>Carries a step out if it is one of these.</summary>
    public StepReport? TryApply(Step step)
    {
        switch (step.Kind)
        {
            case OverlayKind:
                Create(step.Read(FakeJson.Default.OverlayArguments));
                return StepReport.Nothing;
            case AdoptKind:
                Adopt(step.Read(FakeJson.Default.OverlayArguments));
                return StepReport.Nothing;
            case CreateKind:
                var made = step.Read(FakeJson.Default.ImageArguments).Image;
                _files.Add(made.Path, FakeImage.Empty(made.Format, null, made.VirtualSize));
                return StepReport.Nothing;
            case VariablesKind:
                Create(step.Read(FakeJson.Default.VariablesArguments));
                return StepReport.Nothing;
            case ResizeKind:
                _files.RequireUnused(step.Read(FakeJson.Default.ResizeArguments).Layer);
                host.Grow(step.Read(FakeJson.Default.ResizeArguments));
                return StepReport.Nothing;
            case RelinkKind:
                var relink = step.Read(FakeJson.Default.RelinkArguments);
                Relink(relink.Layer, relink.From, relink.To);
                return StepReport.Nothing;
            case RepairKind:
                return RepairLeaks(step.Read(FakeJson.Default.RemoveArguments).Path);
            case RemoveKind:
                _files.Remove(step.Read(FakeJson.Default.RemoveArguments).Path);
                return StepReport.Nothing;
            case RemoveUnwrittenKind:
                return RemoveUnwritten(step.Read(FakeJson.Default.RemoveArguments).Path);
            default:
                return null;
        }
    }

    /// <summary>Takes a step back if it is one of these.</summary>
    public void Undo(Step step)
    {
        switch (step.Kind)
        {
            case OverlayKind when IsMade(step.Read(FakeJson.Default.OverlayArguments)):
                var overlay = step.Read(FakeJson.Default.OverlayArguments).Overlay.Path;
                if (host.State.Images[overlay].Blocks.Count > 0)
                {
                    throw new InvalidOperationException($"undoing would lose what was written to {overlay}");
                }

                _files.Remove(overlay);
                break;
            case CreateKind when IsEmpty(step.Read(FakeJson.Default.ImageArguments).Image):
                _files.Remove(step.Read(FakeJson.Default.ImageArguments).Image.Path);
                break;
            case VariablesKind when IsMade(step.Read(FakeJson.Default.VariablesArguments)):
                _files.Remove(step.Read(FakeJson.Default.VariablesArguments).Variables.Path);
                break;
            case RelinkKind:
                var relinked = step.Read(FakeJson.Default.RelinkArguments);
                Relink(relinked.Layer, relinked.To, relinked.From);
                break;
        }
    }

    /// <summary>Whether a step took effect; null if it is none of these.</summary>
    public bool? Probe(Step step) => step.Kind switch
    {
        OverlayKind => IsMade(step.Read(FakeJson.Default.OverlayArguments)),
        CreateKind => IsEmpty(step.Read(FakeJson.Default.ImageArguments).Image),
        AdoptKind or RepairKind or RemoveUnwrittenKind => false,
        VariablesKind => IsMade(step.Read(FakeJson.Default.VariablesArguments)),
        ResizeKind => host.IsGrown(step.Read(FakeJson.Default.ResizeArguments)),
        RelinkKind => step.Read(FakeJson.Default.RelinkArguments) is var r && _files.Require(r.Layer.Path).Backing == r.To,
        RemoveKind => !host.State.Images.ContainsKey(step.Read(FakeJson.Default.RemoveArguments).Path),
        _ => null,
    };

    private static Step Remove(string kind, string title, string path, ByteCount bytes) =>
        Step.Of(kind, title, StepUndo.None, new RemoveArguments(path), FakeJson.Default.RemoveArguments) with
        {
            Files = [new FileChange(FileEffect.Delete, path, bytes)],
        };

    private bool IsEmpty(Layer made) =>
        host.State.Images.TryGetValue(made.Path, out var image) && image is { Backing: null, Blocks.Count: 0 } && image.VirtualSize == made.VirtualSize;

    private bool IsMade(OverlayArguments arguments) =>
        host.State.Images.TryGetValue(arguments.Overlay.Path, out var image) && image.Backing == arguments.Backing.Path;

    private bool IsMade(VariablesArguments arguments) =>
        host.State.Images.TryGetValue(arguments.Variables.Path, out var image)
        && image.Blocks.SequenceEqual(_files.Require(arguments.Template).Blocks);

    private void Create(OverlayArguments arguments)
    {
        var (overlay, backing) = arguments;
        _files.Require(backing.Path);
        _files.Add(overlay.Path, FakeImage.Empty(overlay.Format, backing.Path, overlay.VirtualSize));
    }

    private void Create(VariablesArguments arguments)
    {
        var (variables, template) = arguments;
        _files.Add(variables.Path, _files.Require(template) with { Format = variables.Format, FirstName = null });
    }

    private void Adopt(OverlayArguments arguments)
    {
        var (overlay, backing) = arguments;
        _files.RequireUnused(overlay);
        var image = _files.Require(overlay.Path);
        if (image.Backing != backing.Path)
        {
            throw new CoppiceException(ErrorKind.Damaged, overlay.Path, "builds on another image", "make a new one");
        }

        if (image.Blocks.Count > 0 || image.VirtualSize != overlay.VirtualSize)
        {
            throw new CoppiceException(ErrorKind.WrongState, overlay.Path, "was written to", "make a new one");
        }
    }

    private void Relink(Layer layer, string from, string to)
    {
        var found = _files.Require(layer.Path).Backing;
        if (found != from && found != to)
        {
            throw new CoppiceException(ErrorKind.Damaged, layer.Path, $"builds on {found}, not on {from}");
        }

        if (found != to)
        {
            _files.RequireUnused(layer);
            if (host.State.NamesOf(layer.Path).Length > 1)
            {
                throw new CoppiceException(ErrorKind.WrongState, layer.Path, "has other names, and is not written");
            }

            host.Act($"relink {layer.Path}", s => s.With(layer.Path, i => i with { Backing = to }));
        }
    }

    private StepReport RepairLeaks(string path)
    {
        if (host.State.Uses(path) || host.State.NamesOf(path).Length > 1)
        {
            return new StepReport { Warning = $"{path} was left as it is" };
        }

        if (host.State.Images.GetValueOrDefault(path) is { Health: ImageHealth.Leaking })
        {
            host.Act($"repair {path}", s => s.With(path, i => i with { Health = ImageHealth.Sound }));
        }

        return StepReport.Nothing;
    }

    private StepReport RemoveUnwritten(string path)
    {
        if (host.State.Images.GetValueOrDefault(path) is { Blocks.Count: > 0 })
        {
            return new StepReport { Warning = $"{path} was written to, and stays" };
        }

        _files.Remove(path);
        return StepReport.Nothing;
    }
}
