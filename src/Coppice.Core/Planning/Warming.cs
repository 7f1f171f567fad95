using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans spares: processes prepared as a revert would prepare one, that wait for it. What is left of a revert is to stop the old process
/// and to let this one go on.
/// </summary>
internal static class Warming
{
    public static Plan Plan(PlanContext context, WarmSnapshot request)
    {
        RequireSound(request);
        var snapshot = context.Find(request.Snapshot);
        var waiting = Spares.Of(context, snapshot);
        if (request.Count <= waiting.Length)
        {
            return Fewer(context, snapshot, [.. waiting.Skip(request.Count)], request.Count);
        }

        var definition = context.Observed.Definitions[snapshot.Definition];
        SnapshotProcess.Require(context, snapshot, "warm");
        ImmutableArray<NewSpare> made = [.. Made(context, snapshot, definition, request, request.Count - waiting.Length)];
        RequireBudget(context, request, made);
        return context.Plan($"{made.Length} process(es) that wait with memory ({snapshot.Memory.Layout}) loaded") with
        {
            Prepare = [.. made.SelectMany(m => m.Steps)],
            Commit = context.NoChange with { PutSpares = [.. made.Select(m => m.Spare)] },
        };
    }

    private static void RequireSound(WarmSnapshot request)
    {
        if (request.Count is < 0 or > WarmSnapshot.Most)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"{request.Count} processes that wait for snapshot '{request.Snapshot}'", "cannot be",
                $"ask for 0 to {WarmSnapshot.Most}");
        }

        if (request.Lifetime <= Spares.LeastTime)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"a process that waits for {request.Lifetime.TotalSeconds:0.#} s", "would end before a revert could take it",
                $"let it wait for more than {Spares.LeastTime.TotalSeconds:0} s");
        }
    }

    private static Plan Fewer(PlanContext context, Snapshot snapshot, ImmutableArray<Spare> gone, int left) =>
        context.Plan(gone.IsEmpty ? left == 0 ? "none waits" : "as many wait already" : $"{gone.Length} process(es) of snapshot '{snapshot.Name}' end, {left} wait on") with
        {
            Commit = context.NoChange with { DropSpares = [.. gone.Select(s => s.Process)] },
            CleanUp = [.. gone.SelectMany(s => Spares.Ended(context, s))],
        };

    private static IEnumerable<NewSpare> Made(
        PlanContext context, Snapshot snapshot, DomainDefinition definition, WarmSnapshot request, int count)
    {
        var volume = context.Observed.Volume;
        for (var made = 0; made < count; made++)
        {
            var process = context.Observed.Ids.NextShort();
            var ram = GuestRam.On(volume, context.Observed.Folder, process, definition, snapshot.Memory);
            if (volume is not null && ram.Place is not { IsClonable: true } && snapshot.Memory.Format is MemoryFormat.Mapped)
            {
                throw new CoppiceException(
                    ErrorKind.Storage, $"memory volume {volume.Folder}", $"has room for {made} more of '{context.Catalog.Name}', and not for {count}: {ram.Warning}",
                    $"ask for fewer (--count), or let others end (coppice snapshot warm DOMAIN SNAPSHOT --count 0)");
            }

            volume = ram.Place is { IsClonable: true } place ? volume?.With(place.Path, definition.Memory) : volume;
            yield return One(context, snapshot, request, process, ram.Place);
        }
    }

    private static NewSpare One(PlanContext context, Snapshot snapshot, WarmSnapshot request, ShortId process, RamPlace? ram)
    {
        var made = SnapshotProcess.Of(context, snapshot, process, ram, request.Lifetime);
        var spare = new Spare
        {
            Process = process,
            Snapshot = snapshot.Id,
            Disks = made.Disks,
            Layers = made.Layers,
            Tpm = made.Tpm,
            Until = context.Observed.Now + request.Lifetime,
        };
        return new NewSpare(spare, context.Hypervisor.WaitingMemory(made.Launch), made.Steps);
    }

    /// <summary>Nobody watches over what waits, so it is judged when it is made.</summary>
    private static void RequireBudget(PlanContext context, WarmSnapshot request, ImmutableArray<NewSpare> made)
    {
        var budget = request.Budget ?? new ByteCount(context.Observed.HostMemory.Bytes / WarmSnapshot.UsualPart);
        var needed = new ByteCount(made.Sum(m => m.Memory.Bytes));
        if (context.Observed.WaitingMemory.Bytes + needed.Bytes > budget.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"snapshot '{context.Find(request.Snapshot).Name}' of {context.Subject}",
                $"{made.Length} more process(es) that wait take about {needed} of the host's memory, those of this home take {context.Observed.WaitingMemory}, "
                    + $"and all together may take {budget}",
                "ask for fewer, end others (--count 0), or allow more with --budget SIZE");
        }
    }

    private sealed record NewSpare(Spare Spare, ByteCount Memory, ImmutableArray<Step> Steps);
}
