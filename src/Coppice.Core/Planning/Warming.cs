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
        var snapshot = context.Find(request.Snapshot);
        var waiting = Spares.Of(context, snapshot);
        if (request.Count <= waiting.Length)
        {
            return Fewer(context, snapshot, [.. waiting.Skip(request.Count)], request.Count);
        }

        var definition = context.Observed.Definitions[snapshot.Definition];
        RequirePossible(context, snapshot, definition);
        ImmutableArray<NewSpare> made = [.. Made(context, snapshot, definition, request, request.Count - waiting.Length)];
        RequireBudget(context, request, made);
        return context.Plan($"{made.Length} process(es) that wait with memory ({snapshot.Memory.Layout}) loaded") with
        {
            Prepare = [.. made.SelectMany(m => m.Steps)],
            Commit = context.NoChange with { PutSpares = [.. made.Select(m => m.Spare)] },
        };
    }

    private static Plan Fewer(PlanContext context, Snapshot snapshot, ImmutableArray<Spare> gone, int left) =>
        context.Plan(gone.IsEmpty ? "as many wait already" : $"{gone.Length} process(es) of snapshot '{snapshot.Name}' end, {left} wait on") with
        {
            Commit = context.NoChange with { DropSpares = [.. gone.Select(s => s.Process)] },
            CleanUp = [.. gone.SelectMany(s => Spares.Ended(context, s))],
        };

    private static void RequirePossible(PlanContext context, Snapshot snapshot, DomainDefinition definition)
    {
        var subject = $"snapshot '{snapshot.Name}' of {context.Subject}";
        if (snapshot.Memory.Mode is MemoryMode.None)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, "has no memory: there is nothing to load beforehand", "take one while the domain runs");
        }

        if (snapshot.Disks.FirstOrDefault(d => !d.IsKept && !RevertChecks.IsReadOnly(definition, d.Target)) is { } shared)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, $"does not keep disk '{shared.Target}', and a process that waits cannot share what the guest writes",
                "warm a snapshot that keeps the disk");
        }

        OutsideChanges.RequireUntouched(context, force: false, "put the image back as it was, or warm a snapshot that was taken since");
        Merging.RequireNoneOf(context, snapshot.Disks);
    }

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
                    ErrorKind.Storage, $"memory volume {volume.Folder}", $"has no room for {count} more of '{context.Catalog.Name}': {ram.Warning}",
                    "ask for fewer, or make room there");
            }

            volume = ram.Place is { IsClonable: true } place ? volume?.With(place.Path, definition.Memory) : volume;
            yield return One(context, snapshot, definition, request, process, ram.Place);
        }
    }

    private static NewSpare One(
        PlanContext context, Snapshot snapshot, DomainDefinition definition, WarmSnapshot request, ShortId process, RamPlace? ram)
    {
        var frozen = HeadLayers.Of(context, snapshot, definition);
        var layers = HeadLayers.Made(context, frozen, definition, snapshot.Name);
        var disks = HeadLayers.On(frozen, layers);
        var tpm = snapshot.Tpm is { } kept ? new TpmCopy(kept, context.Observed.Ids.NextShort()) : null;
        var launch = new LaunchRequest(process, definition, context.Chains(disks, [.. layers.Select(m => m.Layer)]), snapshot.Memory)
        {
            Ram = ram,
            MemoryHolder = snapshot.Memory.Layer is { } holder ? context.Graph[holder] : null,
            Tpm = tpm?.To,
            Waits = request.Lifetime,
        };
        var spare = new Spare
        {
            Process = process,
            Snapshot = snapshot.Id,
            Disks = disks,
            Layers = [.. layers.Select(m => m.Layer)],
            Tpm = tpm?.To,
            Until = context.Observed.Now + request.Lifetime,
        };
        return new NewSpare(
            spare,
            context.Hypervisor.WaitingMemory(launch),
            [
                .. HeadLayers.Steps(context, layers),
                .. tpm is null ? Array.Empty<Step>() : [context.Hypervisor.CopyTpm(context.Observed.Folder, tpm)],
                context.Hypervisor.Launch(launch),
            ]);
    }

    /// <summary>Nobody watches over what waits, so it is judged when it is made.</summary>
    private static void RequireBudget(PlanContext context, WarmSnapshot request, ImmutableArray<NewSpare> made)
    {
        var budget = request.Budget ?? new ByteCount(context.Observed.HostMemory.Bytes / WarmSnapshot.UsualPart);
        var needed = new ByteCount(made.Sum(m => m.Memory.Bytes));
        if (context.Observed.WaitingMemory.Bytes + needed.Bytes > budget.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"snapshot '{request.Snapshot}' of {context.Subject}",
                $"{made.Length} more process(es) that wait take about {needed} of the host's memory, those of this home take {context.Observed.WaitingMemory}, "
                    + $"and all together may take {budget}",
                "ask for fewer, end others (--count 0), or allow more with --budget SIZE");
        }
    }

    private sealed record NewSpare(Spare Spare, ByteCount Memory, ImmutableArray<Step> Steps);
}
