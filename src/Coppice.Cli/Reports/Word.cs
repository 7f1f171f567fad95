using Coppice.Core;

namespace Coppice.Cli.Reports;

/// <summary>The words that reports have for what the model enumerates.</summary>
internal static class Word
{
    public const string Off = "off";
    public const string Running = "running";
    public const string Paused = "paused";
    public const string Suspended = "suspended";
    public const string IoError = "ioError";
    public const string Saved = "saved";
    public const string Crashed = "crashed";

    public const string Persistent = "persistent";
    public const string Autostart = "autostart";
    public const string Transient = "transient";
    public const string Trial = "trial";
    public const string Answers = "answers";
    public const string Runs = "runs";
    public const string Failed = "failed";
    public const string NotTried = "not-tried";

    public const string None = "none";
    public const string Internal = "internal";
    public const string External = "external";
    public const string Manual = "manual";

    public const string Mapped = "mapped";
    public const string Stream = "stream";

    public const string Offline = "offline";
    public const string Online = "online";
    public const string DiskOnly = "diskOnly";

    public const string Exact = "exact";
    public const string FileSystems = "fileSystems";
    public const string Crash = "crash";

    public const string Prepare = "prepare";
    public const string Switch = "switch";
    public const string CleanUp = "cleanUp";

    public const string Disk = "disk";
    public const string Cdrom = "cdrom";
    public const string Flash = "flash";

    public const string Note = "note";

    public const string Tip = "tip";

    public const string Intact = "intact";
    public const string Taken = "taken";
    public const string Unverified = "unverified";

    public static string Of(DomainState state) => state switch
    {
        DomainState.Off => Off,
        DomainState.Running => Running,
        DomainState.Paused => Paused,
        DomainState.Suspended => Suspended,
        DomainState.IoError => IoError,
        DomainState.Saved => Saved,
        DomainState.Crashed => Crashed,
        _ => Camel($"{state}"),
    };

    public static string Of(Persistence persistence) => persistence switch
    {
        Persistence.Persistent => Persistent,
        Persistence.Autostart => Autostart,
        Persistence.Transient => Transient,
        Persistence.Trial => Trial,
        _ => Camel($"{persistence}"),
    };

    public static string Of(MemoryMode mode) => mode switch
    {
        MemoryMode.None => None,
        MemoryMode.Internal => Internal,
        MemoryMode.External => External,
        _ => Camel($"{mode}"),
    };

    public static string Of(DiskMode mode) => mode switch
    {
        DiskMode.None => None,
        DiskMode.Internal => Internal,
        DiskMode.External => External,
        DiskMode.Manual => Manual,
        _ => Camel($"{mode}"),
    };

    public static string Of(Consistency consistency) => consistency switch
    {
        Consistency.Exact => Exact,
        Consistency.FileSystems => FileSystems,
        _ => Crash,
    };

    public static string Of(MemoryFormat format) => format == MemoryFormat.Mapped ? Mapped : Stream;

    public static string Of(DiskKind kind) => kind switch { DiskKind.Cdrom => Cdrom, DiskKind.Flash => Flash, _ => Disk };

    public static string Of(ImageFormat format) => format == ImageFormat.Qcow2 ? "qcow2" : "raw";

    public static string Of(MergeDirection direction) => direction is MergeDirection.Commit ? "commit" : "stream";

    public static string Of(MirrorKind kind) => kind switch
    {
        MirrorKind.Whole => "copy",
        MirrorKind.Shallow => "shallow copy",
        _ => "commit and go over",
    };

    public static string Of(MergeState state) => state switch
    {
        MergeState.Running => Running,
        MergeState.Ready => "ready",
        MergeState.Failed => "failed",
        _ => "waiting",
    };

    public static string Of(FileEffect effect) => effect switch
    {
        FileEffect.Create => "create",
        FileEffect.Change => "change",
        _ => "delete",
    };

    public static string Of(StepUndo undo) => Camel($"{undo}");

    public static string Of(ErrorKind kind) => Camel($"{kind}");

    public static string Of(Capability capability) => Camel($"{capability}");

    public static string Of(ReferenceKind kind) => Camel($"{kind}");

    public static string Of(TrialEnd end) => Camel($"{end}");

    public static string Of(VerifiedState state) => Camel($"{state}");

    public static string Of(FindingKind kind) => Camel($"{kind}");

    public static string Of(Severity severity) => severity == Severity.Note ? Note : Camel($"{severity}");

    private static string Camel(string name) => char.ToLowerInvariant(name[0]) + name[1..];
}
