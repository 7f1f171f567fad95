using System.Collections.Immutable;
using Coppice.Contracts.Libvirt;
using Coppice.Libvirt.Wire;

namespace Coppice.Torture.Load;

/// <summary>What one call needs: a connection, a domain, and what was last seen of its snapshots.</summary>
internal sealed class LoadTurn(LoadConnection connection, LoadDomain domain, Ledger ledger, Random random, Func<string> newName)
{
    // virDomainSnapshotDeleteFlags.
    private const uint Children = 1, MetadataOnly = 2, ChildrenOnly = 4;

    private static readonly int[] s_events = [0, 1, 4, 8, 16];

    private ImmutableArray<RemoteSnapshot> _snapshots = [];

    /// <summary>How many snapshots there were at the last look.</summary>
    public int Snapshots => _snapshots.Length;

    public Task ReadAsync<TAsked, TAnswered>(Procedure<TAsked, TAnswered> procedure, TAsked asked) => connection.CallAsync(procedure, asked);

    public Task ChangeAsync<TAsked, TAnswered>(Procedure<TAsked, TAnswered> procedure, TAsked asked) => connection.CallAsync(procedure, asked, changes: true);

    public RemoteDomain Domain => domain.Remote;

    /// <summary>Asks to be told of something, and no longer.</summary>
    public async Task ListenAsync()
    {
        var number = await connection.CallAsync(EventProcedures.Register, (s_events[random.Next(s_events.Length)], random.Next(2) == 0 ? Domain : null));
        if (random.Next(2) == 0)
        {
            await connection.CallAsync(EventProcedures.Deregister, number);
        }
    }

    public async Task LookAsync() => _snapshots = (await connection.CallAsync(SnapshotProcedures.ListAll, (Domain, 1, 0u))).Snapshots;

    /// <summary>Does something with any snapshot, if there is one.</summary>
    public async Task WithAnyAsync(Func<RemoteSnapshot, Task> act)
    {
        await LookAsync();
        if (!_snapshots.IsEmpty)
        {
            await act(_snapshots[random.Next(_snapshots.Length)]);
        }
    }

    /// <summary>Takes one, and asks on what.</summary>
    public async Task CreateAsync(uint flags, string more = "")
    {
        var xml = random.Next(5) == 0 && more.Length == 0 ? "<domainsnapshot/>" : $"<domainsnapshot><name>{newName()}</name>{more}</domainsnapshot>";
        var made = await connection.CallAsync(SnapshotProcedures.Create, (Domain, xml, flags), changes: true);
        ledger.Add(domain.Name, made.Name);
        try
        {
            ledger.Add(domain.Name, made.Name, (await connection.CallAsync(SnapshotProcedures.GetParent, (made, 0u))).Name);
        }
        catch (WireRefusalException e) when (e.Error.Message?.Contains("does not have a parent", StringComparison.Ordinal) == true)
        {
            ledger.Add(domain.Name, made.Name, "");
        }
    }

    /// <summary>Deletes any, with what domains of its kind allow.</summary>
    public Task DeleteAsync() => WithAnyAsync(async snapshot =>
    {
        var flags = random.Next(4) switch
        {
            0 when domain.LosesBelow => random.Next(2) == 0 ? Children : ChildrenOnly,
            1 when domain.ForgetsFiles => MetadataOnly,
            _ => 0u,
        };
        var (itself, below) = (flags != ChildrenOnly, flags is Children or ChildrenOnly);
        ledger.Deleting(domain.Name, snapshot.Name, itself, below);
        try
        {
            await connection.CallAsync(SnapshotProcedures.Delete, (snapshot, flags), changes: true);
        }
        catch (WireRefusalException)
        {
            ledger.Kept(domain.Name, snapshot.Name, itself, below);
            throw;
        }

        // A name that the server gave is the time in seconds, which somebody else may have been given since.
        if (itself && !char.IsAsciiDigit(snapshot.Name[0]))
        {
            ledger.Deleted(domain.Name, snapshot.Name);
        }
    });
}

/// <summary>A domain under load. What can be lost on purpose is lost in some of them only, so that in the others nothing may be missing.</summary>
/// <param name="Number">Which.</param>
/// <param name="Uuid">Its uuid.</param>
internal sealed record LoadDomain(int Number, Guid Uuid)
{
    public string Name => $"d{Number}";

    public RemoteDomain Remote => new(Name, Uuid, RemoteDomain.Off);

    /// <summary>It runs at first.</summary>
    public bool Runs => Number % 2 == 0;

    /// <summary>Snapshots are deleted with all below them.</summary>
    public bool LosesBelow => Number % 10 >= 6;

    /// <summary>Snapshots are forgotten, and their files stay.</summary>
    public bool ForgetsFiles => Number % 10 >= 8;
}
