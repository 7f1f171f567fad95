using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Closes what a snapshot request leaves open: reads the row of the matrix (R109–R133), fills in name, modes and files, and
/// refuses what makes no sense or what the driver cannot do. Pure: the same observation leads to the same result.
/// </summary>
public static class SnapshotResolver
{
    /// <summary>Resolves a request against what was observed.</summary>
    /// <param name="request">What was asked; its domain has been looked up already.</param>
    /// <param name="observed">The domain.</param>
    /// <exception cref="CoppiceException">
    /// The request contradicts itself or the domain (<see cref="ErrorKind.InvalidInput"/>), names a disk that is not there
    /// (<see cref="ErrorKind.NotFound"/>), a name or file that is taken (<see cref="ErrorKind.AlreadyExists"/>), asks what
    /// makes no sense now (<see cref="ErrorKind.WrongState"/>) or what the driver cannot do
    /// (<see cref="ErrorKind.MissingCapability"/>).
    /// </exception>
    public static ResolvedSnapshot Resolve(CreateSnapshot request, Observed observed)
    {
        var graph = LayerGraph.Of(observed.Catalog);
        var state = StateOf(observed.Hypervisor);
        var name = SnapshotNaming.Choose(request, observed);
        SnapshotNaming.CheckId(request.Id, name, observed.Catalog);
        var intents = DiskIntents.Read(request, observed, graph);
        SnapshotConditions.CheckMemory(request.Memory, intents, observed.Catalog.Name);
        SnapshotConditions.CheckState(request, state, intents, observed.Catalog.Name);
        SnapshotConditions.CheckLive(request, state, observed);

        var row = SnapshotMatrix.Find(
            ActivityOf(state), AskOf(request.Memory), DiskIntents.Summarize(intents), request.DiskOnly);
        var mechanism = Choose(row, request, state, intents, observed);
        SnapshotConditions.CheckDepth(mechanism, graph, observed.Catalog.Name);

        var files = new SnapshotFiles(observed, graph);
        var memory = mechanism.Memory switch
        {
            MemoryMode.External => SavedOr(files, request, observed),
            MemoryMode.Internal => new MemoryImage { Mode = MemoryMode.Internal, Disk = mechanism.MemoryDisk },
            _ => MemoryImage.None,
        };
        SnapshotConditions.CheckNamed(request, memory, observed);
        return new ResolvedSnapshot
        {
            Name = name,
            Description = request.Description,
            State = state,
            Memory = memory,
            Disks = [.. mechanism.Disks.Select(d => new ResolvedDisk(
                d.Intent.Device.Target, d.Mode,
                d.Mode == DiskMode.External ? files.Overlay(d.Intent, name, request.ReuseExternal) : null))],
            Id = request.Id ?? observed.Ids.NextSnapshot(),
            Rule = row.Rule,
            Live = request.Live && state == DomainState.Running,
            Quiesce = request.Quiesce,
            Halt = request.Halt && ActivityOf(state) == Activities.Online,
        };
    }

    /// <summary>What a domain has to snapshot while it is in a state.</summary>
    public static Activities ActivityOf(DomainState state) => state switch
    {
        DomainState.Off => Activities.Offline,
        DomainState.Saved => Activities.Saved,
        _ => Activities.Online,
    };

    /// <summary>Memory that was saved is referred to, not copied: whoever needs it last keeps the file.</summary>
    private static MemoryImage SavedOr(SnapshotFiles files, CreateSnapshot request, Observed observed) =>
        (observed.Hypervisor.State, observed.Catalog.Head.Saved, request.Memory?.File) switch
        {
            (DomainState.Saved, { } saved, null) => saved.Image,
            (DomainState.Saved, { } saved, _) => throw Invalid(
                observed.Catalog.Name, $"the domain is saved, and its memory is in {saved.Image.File} already", "leave the file out"),
            _ => files.Memory(request.Memory?.File),
        };

    // A guest that panicked can be looked into while its process lives; without one the domain is simply off.
    private static DomainState StateOf(HypervisorObservation hypervisor) =>
        hypervisor is { State: DomainState.Crashed, IsAlive: false } ? DomainState.Off : hypervisor.State;

    private static MemoryAsks AskOf(MemoryRequest? memory) => memory?.Mode switch
    {
        null => MemoryAsks.Omitted,
        MemoryMode.None => MemoryAsks.None,
        MemoryMode.Internal => MemoryAsks.Internal,
        _ => MemoryAsks.External,
    };

    private static SnapshotMechanism Choose(
        MatrixRow row, CreateSnapshot request, DomainState state, ImmutableArray<DiskIntent> intents, Observed observed)
    {
        var name = observed.Catalog.Name;
        if (row.Refusal is { } refusal)
        {
            throw Invalid(name, refusal.Problem, refusal.NextStep);
        }

        SnapshotMechanism[] candidates =
        [
            .. row.Choices.Select(c => SnapshotMechanism.Of(c, request.Memory?.Disk, intents)).Where(m => m.IsPossible),
        ];
        if (candidates.Length == 0)
        {
            throw Invalid(name, "no disk has an image that can hold the memory", "ask for external memory");
        }

        candidates = SnapshotConditions.KeepFitting(request, candidates, name);
        if (request.Memory is null && observed.ClonableRam is not null)
        {
            // Nobody waits for RAM where it is cloned, and inside an image it cannot be: what was not said goes into files then.
            candidates = [.. candidates.OrderBy(m => m.Memory is MemoryMode.Internal)];
        }

        var held = observed.Capabilities;
        var chosen = candidates.FirstOrDefault(m => Needs(m).All(n => held.Items.Contains(n.Capability)));
        foreach (var need in Needs(chosen ?? candidates[0]))
        {
            held.Require(need.Capability, need.Subject, need.Instead);
        }

        return chosen!;

        IEnumerable<CapabilityNeed> Needs(SnapshotMechanism mechanism) =>
            SnapshotConditions.Needs(request, state, observed).Concat(mechanism.Needs(ActivityOf(state), name));
    }

    private static CoppiceException Invalid(string domain, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, $"snapshot of domain '{domain}'", problem, nextStep);
}
