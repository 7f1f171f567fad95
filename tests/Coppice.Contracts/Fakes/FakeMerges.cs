using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>A merge that a process of a <see cref="FakeHost"/> carries out.</summary>
/// <param name="Process">The process: that of a domain, or one without a guest, which exists as long as it has a merge.</param>
/// <param name="IsGuestless">Whether it is one without a guest.</param>
/// <param name="Request">What is merged.</param>
/// <param name="IsReady">All is copied.</param>
/// <param name="IsDone">It is finished; only a process without a guest remembers that.</param>
public sealed record FakeMerge(ShortId Process, bool IsGuestless, MergeRequest Request, bool IsReady = false, bool IsDone = false)
{
    /// <summary>The uuid of the domain.</summary>
    public string? Domain { get; init; }

    public string Lower => Request.Chain.First(l => l.Id == Request.Lower).Path;

    public string Upper => Request.Chain.First(l => l.Id == Request.Upper).Path;

    /// <summary>The image that is written.</summary>
    public string Written => Request.Direction is MergeDirection.Commit ? Lower : Upper;

    /// <summary>The image above the upper one that the process has open; null if none.</summary>
    public string? Above => Request.Chain.TakeWhile(l => l.Id != Request.Upper).LastOrDefault()?.Path;

    /// <summary>What the lower image builds on.</summary>
    public string? Below => Request.Chain.SkipWhile(l => l.Id != Request.Lower).Skip(1).FirstOrDefault()?.Path;

    /// <summary>Whether a process without a guest has an image open.</summary>
    public bool Holds(string path) => IsGuestless && Request.Chain.Any(l => l.Path == path);

    /// <summary>The blocks that are still to be copied.</summary>
    public KeyValuePair<int, long>[] Missing(FakeHostState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var (lower, upper) = (state.Images[Lower].Blocks, state.Images[Upper].Blocks);
        return Request.Direction is MergeDirection.Commit
            ? [.. upper.Except(lower)]
            : [.. lower.Where(b => !upper.ContainsKey(b.Key))];
    }

    /// <summary>One block more is copied; after the last one it waits to be finished.</summary>
    public FakeHostState Advance(FakeHostState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return IsReady ? state
            : Missing(state) is [var block, ..] ? state.With(Written, i => i with { Blocks = i.Blocks.SetItem(block.Key, block.Value) })
            : state with { Merges = state.Merges.SetItem(Request.Job, this with { IsReady = true }) };
    }
}

/// <summary>
/// Merges on a <see cref="FakeHost"/>. They refuse what QEMU refuses, and one thing more: to commit what a guest writes to, because
/// a test should hear of it.
/// </summary>
internal sealed class FakeMerges(FakeHost host)
{
    private const string BeginKind = "machine.begin-merge", HaltKind = "machine.halt-merge", FinishKind = "machine.finish-merge";

    public static Step Begin(ShortId process, MergeRequest merge, bool guestless) => Step.Of(
        BeginKind, $"begin merge {merge.Job} in {process}", StepUndo.None, new MergeArguments(process, merge, guestless),
        FakeJson.Default.MergeArguments);

    public static Step Halt(ShortId process, ShortId job, bool guestless) => Step.Of(
        HaltKind, $"halt merge {job} in {process}", StepUndo.None, new HaltArguments(process, job, guestless), FakeJson.Default.HaltArguments);

    public static Step Finish(ShortId process, MergeRequest merge) => Step.Of(
        FinishKind, $"finish merge {merge.Job} in {process}", StepUndo.None, new MergeArguments(process, merge, false),
        FakeJson.Default.MergeArguments);

    public MergeObservation Observe(ShortId process, ShortId job)
    {
        if (host.State.Merges.GetValueOrDefault(job) is not { IsDone: false } merge || merge.Process != process || !host.ProcessesAreVisible)
        {
            return MergeObservation.Gone(job);
        }

        host.State = host.MergesGoOnWhenAsked ? merge.Advance(host.State) : host.State;
        merge = host.State.Merges[job];
        var missing = merge.Missing(host.State).Length * FakeHost.FileSize.Bytes;
        var state = host.MergesFail ? MergeState.Failed : merge.IsReady ? MergeState.Ready : MergeState.Running;
        var total = FakeHost.Blocks * FakeHost.FileSize.Bytes;
        return new MergeObservation(job, state, new ByteCount(total - missing), new ByteCount(total))
        {
            Error = host.MergesFail ? "no space left" : null,
        };
    }

    /// <summary>Carries a step out if it is one of these.</summary>
    public StepReport? TryApply(Step step, DomainFolder folder)
    {
        switch (step.Kind)
        {
            case BeginKind:
                return Begin(step.Read(FakeJson.Default.MergeArguments), folder);
            case HaltKind:
                var (process, job, guestless) = step.Read(FakeJson.Default.HaltArguments);
                host.Act("halt merge", s => s with
                {
                    Merges = s.Merges.RemoveRange(s.Merges.Values
                        .Where(m => m.Process == process && (guestless || m.Request.Job == job)).Select(m => m.Request.Job)),
                });
                return StepReport.Nothing;
            case FinishKind:
                return Finish(step.Read(FakeJson.Default.MergeArguments));
            default:
                return null;
        }
    }

    /// <summary>Whether a step took effect; null if it is none of these.</summary>
    public bool? Probe(Step step)
    {
        if (step.Kind is not FinishKind)
        {
            return step.Kind is BeginKind or HaltKind ? false : null;
        }

        return Probe(step.Read(FakeJson.Default.MergeArguments).Merge);
    }

    private bool Probe(MergeRequest request)
    {
        var merge = new FakeMerge(default, false, request);
        return request.Direction is MergeDirection.Stream ? host.State.Images[merge.Upper].Backing == merge.Below
            : merge.Above is { } above ? host.State.Images[above].Backing == merge.Lower
            : host.State.Merges.GetValueOrDefault(request.Job) is { IsDone: true };
    }

    private StepReport Begin(MergeArguments arguments, DomainFolder folder)
    {
        var (process, request, guestless) = arguments;
        if (host.State.Merges.ContainsKey(request.Job) || (!guestless && !host.State.Processes.ContainsKey(process)))
        {
            return StepReport.Nothing;
        }

        if (request.Chain.FirstOrDefault(l => !host.State.Images.ContainsKey(l.Path)) is { } missing)
        {
            return new StepReport { Warning = $"merge {request.Job} was not begun: {missing.Path} is missing" };
        }

        var merge = new FakeMerge(process, guestless, request) { Domain = Path.GetFileName(folder.Path) };
        if (guestless)
        {
            RequireFree(merge);
        }
        else
        {
            RequireOpen(merge);
        }

        host.Act("begin merge", s => s.With(merge.Written, i => i with { VirtualSize = s.Images[merge.Upper].VirtualSize }) with
        {
            Merges = s.Merges.Add(request.Job, merge),
        });
        return StepReport.Nothing;
    }

    private void RequireFree(FakeMerge merge)
    {
        var others = host.State.Merges.Values.Where(m => m.Request.Chain.Any(l => l.Path == merge.Written) || merge.Request.Chain.Any(l => l.Path == m.Written));
        if (others.Any() || host.State.Processes.Values.SelectMany(p => p.Drives).Any(d =>
            host.State.Chain(d.Path).Contains(merge.Written) || (d.IsWritable && merge.Request.Chain.Any(l => l.Path == d.Path))))
        {
            throw new InvalidOperationException($"{merge.Written} is in use by another process");
        }
    }

    private void RequireOpen(FakeMerge merge)
    {
        var drive = host.State.Processes[merge.Process].Drives.FirstOrDefault(d => d.Path == merge.Request.Chain[0].Path);
        if (drive is null || !host.State.Chain(drive.Path).SequenceEqual(merge.Request.Chain.Select(l => l.Path)))
        {
            throw new InvalidOperationException($"process {merge.Process} does not have the chain of {merge.Upper} open");
        }

        if (drive.Path == merge.Upper && merge.Request.Direction is MergeDirection.Commit)
        {
            throw new InvalidOperationException($"a guest writes to {merge.Upper}, and it would be committed");
        }
    }

    private StepReport Finish(MergeArguments arguments)
    {
        var (process, request, _) = arguments;
        if (host.State.Merges.GetValueOrDefault(request.Job) is not { IsReady: true, IsDone: false } merge || merge.Process != process)
        {
            return Probe(request)
                ? StepReport.Nothing
                : throw new CoppiceException(ErrorKind.WrongState, $"merge {request.Job}", "is not ready");
        }

        host.Act("finish merge", s =>
        {
            var linked = request.Direction is MergeDirection.Stream ? s.With(merge.Upper, i => i with { Backing = merge.Below })
                : merge.Above is { } above ? s.With(above, i => i with { Backing = merge.Lower })
                : s;
            return linked with
            {
                Merges = merge.IsGuestless ? s.Merges.SetItem(request.Job, merge with { IsDone = true }) : s.Merges.Remove(request.Job),
            };
        });
        return StepReport.Nothing;
    }
}
