namespace Coppice.Core;

/// <summary>
/// Make a domain known, or replace the definition of one that is off; its uuid decides which. One that runs can be defined as it is
/// (<see cref="RedefineRunning"/>).
/// </summary>
public sealed record DefineDomain(DomainDefinition Definition) : Request("define");

/// <summary>Give a domain that runs the machine that it has, with other words about it; a transient one stays from then on (R166).</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Definition">The definition, with all that the hypervisor would choose.</param>
public sealed record RedefineRunning(string Domain, DomainDefinition Definition) : DomainRequest("define", Domain);

/// <summary>Define a domain that exists only as long as it runs, and start it (R166). Its uuid must be new.</summary>
/// <param name="Definition">What it is.</param>
/// <param name="Paused">Stand still before the first instruction.</param>
public sealed record RunTransient(DomainDefinition Definition, bool Paused) : Request("define");

/// <summary>Forget a domain. Images the user brought stay.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Snapshots">Also if it has snapshots or tips; they go with it.</param>
public sealed record UndefineDomain(string Domain, bool Snapshots) : DomainRequest(Word, Domain)
{
    /// <summary>The operation, also where an interrupted one goes on without a request.</summary>
    public const string Word = "undefine";

    /// <summary>
    /// If something would be lost with it, nothing is removed: its folder gets a name under which it is no domain
    /// (<see cref="DomainFolder.Undefined"/>), and is one again under its old name.
    /// </summary>
    public bool Keep { get; init; }
}

/// <summary>
/// Let a domain that runs go when it ends, as a transient one does (R166). Nothing happens if it would anyway. If something would be lost
/// with it then, it stays.
/// </summary>
public sealed record ReleaseDomain(string Domain) : DomainRequest("persist --off", Domain);

/// <summary>Give a domain another name. Its snapshots go with it; it may run.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Name">The new name.</param>
public sealed record RenameDomain(string Domain, string Name) : DomainRequest("rename", Domain);

/// <summary>
/// Change what a definition says; null keeps it, and empty text removes it. It may run, unless the sizes of its machine change. Snapshots keep
/// what their definitions say.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Title">One line.</param>
/// <param name="Description">Any text.</param>
public sealed record EditDomain(string Domain, string? Title = null, string? Description = null) : DomainRequest("edit", Domain)
{
    /// <summary>What a program notes; null keeps all that programs noted.</summary>
    public DomainNote? Note { get; init; }

    /// <summary>The memory of its machine. It must be off.</summary>
    public ByteCount? Memory { get; init; }

    /// <summary>What the balloon leaves the guest of it. It must be off.</summary>
    public ByteCount? CurrentMemory { get; init; }

    /// <summary>How many processors it has. It must be off.</summary>
    public int? VirtualCpus { get; init; }
}

/// <summary>Let a transient domain stay when it ends (R166). Nothing happens if it would anyway.</summary>
public sealed record PersistDomain(string Domain) : DomainRequest("persist", Domain);

/// <summary>Have a domain started with the host, or no longer.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="IsOn">Whether it is to be started.</param>
public sealed record SetAutostart(string Domain, bool IsOn) : DomainRequest("autostart", Domain);
