using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>A disk that a process of a <see cref="FakeHost"/> copies while its guest goes on.</summary>
/// <param name="Process">The process.</param>
/// <param name="Request">What is copied.</param>
/// <param name="IsReady">All was copied; what the guest writes since comes after it when the copy ends.</param>
public sealed record FakeMirror(ShortId Process, MirrorRequest Request, bool IsReady = false)
{
    private const int AtOnce = 2;

    /// <summary>What the other image is to hold.</summary>
    public ImmutableSortedDictionary<int, long> Wanted(FakeHostState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var below = Request.Kind is MirrorKind.Commit ? state.Images[Request.Target.Path].Blocks : ImmutableSortedDictionary<int, long>.Empty;
        return Request.Kind is MirrorKind.Whole
            ? state.Read(Request.Source.Path)
            : Request.Left.Reverse().Aggregate(below, (blocks, layer) => blocks.SetItems(state.Images[layer.Path].Blocks));
    }

    /// <summary>How many blocks are still to be copied.</summary>
    public int Missing(FakeHostState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Wanted(state).Except(state.Images[Request.Target.Path].Blocks).Count();
    }

    /// <summary>Two blocks more are copied, while its guest may write one; when none is left it is ready.</summary>
    public FakeHostState Advance(FakeHostState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (IsReady)
        {
            return state;
        }

        var missing = Wanted(state).Except(state.Images[Request.Target.Path].Blocks).ToArray();
        var copied = state.With(Request.Target.Path, i => i with { Blocks = i.Blocks.SetItems(missing.Take(AtOnce)) });
        return missing.Length > AtOnce ? copied : copied with { Mirrors = copied.Mirrors.SetItem(Request.Job, this with { IsReady = true }) };
    }
}

/// <summary>Copies of disks on a <see cref="FakeHost"/>.</summary>
internal sealed class FakeMirrors(FakeHost host)
{
    private const string BeginKind = "machine.begin-mirror", EndKind = "machine.end-mirror", LetGoKind = "machine.let-go-of-mirror";

    public static Step Begin(ShortId process, MirrorRequest mirror) => Step.Of(
        BeginKind, $"begin mirror {mirror.Job} in {process}", StepUndo.None, new MirrorArguments(process, mirror, null), FakeJson.Default.MirrorArguments);

    public static Step End(ShortId process, MirrorRequest mirror, MirrorEnd end) => Step.Of(
        EndKind, $"end mirror {mirror.Job} in {process}: {end}", StepUndo.None, new MirrorArguments(process, mirror, end), FakeJson.Default.MirrorArguments);

    public static Step LetGo(ShortId process, MirrorRequest mirror) => Step.Of(
        LetGoKind, $"let go of mirror {mirror.Job}", StepUndo.None, new MirrorArguments(process, mirror, null), FakeJson.Default.MirrorArguments);

    public MergeObservation Observe(ShortId process, ShortId job)
    {
        if (host.State.Mirrors.GetValueOrDefault(job) is not { } mirror || mirror.Process != process || !host.ProcessesAreVisible)
        {
            return MergeObservation.Gone(job);
        }

        host.State = host.MergesGoOnWhenAsked ? mirror.Advance(host.State) : host.State;
        mirror = host.State.Mirrors[job];
        var total = FakeHost.Blocks * FakeHost.FileSize.Bytes;
        var missing = mirror.IsReady ? 0 : mirror.Missing(host.State) * FakeHost.FileSize.Bytes;
        var state = host.MergesFail ? MergeState.Failed : mirror.IsReady ? MergeState.Ready : MergeState.Running;
        return new MergeObservation(job, state, new ByteCount(total - missing), new ByteCount(total))
        {
            Error = host.MergesFail ? "no space left" : null,
        };
    }

    /// <summary>Carries a step out if it is one of these.</summary>
    public StepReport? TryApply(Step step)
    {
        if (step.Kind is not (BeginKind or EndKind or LetGoKind))
        {
            return null;
        }

        var (process, request, end) = step.Read(FakeJson.Default.MirrorArguments);
        if (step.Kind is LetGoKind)
        {
            host.Act("let go of mirror", s => s with { Ended = s.Ended.Remove(request.Job) });
        }
        else if (end is null)
        {
            Take(process, request);
        }
        else if (end is MirrorEnd.Discard)
        {
            host.Act("discard mirror", s => s with { Mirrors = s.Mirrors.Remove(request.Job) });
        }
        else
        {
            Finish(process, request, end.Value);
        }

        return StepReport.Nothing;
    }

    /// <summary>Whether a step took effect; null if it is none of these.</summary>
    public bool? Probe(Step step)
    {
        if (step.Kind is not (BeginKind or EndKind))
        {
            return step.Kind is LetGoKind ? false : null;
        }

        var (process, request, end) = step.Read(FakeJson.Default.MirrorArguments);
        return end is null ? host.Find(process) is null || host.State.Mirrors.ContainsKey(request.Job) : host.State.Ended.Contains(request.Job);
    }

    private void Take(ShortId process, MirrorRequest request)
    {
        if (host.State.Mirrors.ContainsKey(request.Job))
        {
            return;
        }

        var drive = host.Require(process).Drives.FirstOrDefault(d => d.Target == request.Disk);
        if (drive is null || !host.State.Chain(drive.Path).SequenceEqual(request.Chain.Select(l => l.Path)))
        {
            throw new InvalidOperationException($"process {process} does not have the chain of {request.Source.Path} open");
        }

        if (!host.State.Images.TryGetValue(request.Target.Path, out var target))
        {
            throw new CoppiceException(ErrorKind.NotFound, request.Target.Path, "does not exist");
        }

        if (request.Kind is not MirrorKind.Commit)
        {
            host.RequireFree(new FakeDrive(request.Disk, request.Target.Path, IsWritable: true));
        }

        if (request.Kind is MirrorKind.Shallow && target.Backing != host.State.Images[request.Source.Path].Backing)
        {
            throw new InvalidOperationException($"{request.Target.Path} builds on {target.Backing}");
        }

        host.Act("begin mirror", s => s with { Mirrors = s.Mirrors.Add(request.Job, new FakeMirror(process, request)) });
    }

    private void Finish(ShortId process, MirrorRequest request, MirrorEnd end)
    {
        if (host.State.Ended.Contains(request.Job))
        {
            return;
        }

        if (host.Find(process) is null || host.State.Mirrors.GetValueOrDefault(request.Job) is not { IsReady: true } mirror)
        {
            throw new CoppiceException(ErrorKind.WrongState, $"mirror {request.Job}", "is not ready");
        }

        host.Act("end mirror", s =>
        {
            var whole = s.With(request.Target.Path, i => i with { Blocks = mirror.Wanted(s), VirtualSize = s.Images[request.Source.Path].VirtualSize }) with
            {
                Mirrors = s.Mirrors.Remove(request.Job), Ended = s.Ended.Add(request.Job),
            };
            return end is MirrorEnd.Keep ? whole : FakeHost.Set(whole, process, p => p with
            {
                Drives = [.. p.Drives.Select(d => d.Target == request.Disk ? d with { Path = request.Target.Path } : d)],
            });
        });
    }
}
