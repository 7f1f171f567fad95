using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>The numbers of libvirt's errors that this endpoint answers with (virErrorNumber).</summary>
internal static class RpcCode
{
    public const int InternalError = 1, NoSupport = 3, InvalidArgument = 8, OperationFailed = 9, XmlError = 27, DomainExists = 28,
        OperationDenied = 29, SystemError = 38, Rpc = 39, NoDomain = 42, NoNetwork = 43, NoStoragePool = 49,
        OperationInvalid = 55, ConfigurationUnsupported = 67, OperationTimeout = 68, NoSnapshot = 72, ArgumentUnsupported = 74,
        RevertRisky = 77, OperationAborted = 78, CopyActive = 83, NoMetadata = 80, OperationUnsupported = 84, InvalidDocument = 92,
        NoCheckpoint = 103;
}

/// <summary>Which part of libvirt an error comes from (virErrorDomain).</summary>
internal static class RpcOrigin
{
    public const int Domain = 6, Rpc = 7, Qemu = 10, Network = 19, StoragePool = 18, Snapshot = 35, Streams = 38, Checkpoint = 69;
}

/// <summary>What a call was about, which decides what "there is none" means.</summary>
internal enum CallSubject
{
    Domain,
    Snapshot,
}

/// <summary>A call that fails with an error of libvirt's.</summary>
internal sealed class RpcException(int code, int origin, string message) : Exception(message)
{
    public RemoteError Error { get; } = new(code, origin, message);

    public static RpcException UnknownProcedure(int procedure) => new(RpcCode.Rpc, RpcOrigin.Rpc, $"unknown procedure: {procedure}");

    public static RpcException InvalidArgument(string problem) => new(RpcCode.InvalidArgument, RpcOrigin.Qemu, $"invalid argument: {problem}");

    public static RpcException OperationInvalid(string problem) =>
        new(RpcCode.OperationInvalid, RpcOrigin.Qemu, $"Requested operation is not valid: {problem}");

    public static RpcException CopyActive(string problem) => new(RpcCode.CopyActive, RpcOrigin.Qemu, $"block copy still active: {problem}");

    public static RpcException IsCopied(string disk) => CopyActive($"disk '{disk}' already in active block job");

    public static RpcException Unsupported(string problem) =>
        new(RpcCode.OperationUnsupported, RpcOrigin.Qemu, $"Operation not supported: {problem}");
}

/// <summary>The one table that maps what went wrong to libvirt's errors.</summary>
internal static class RpcErrors
{
    public static RemoteError Of(Exception e, CallSubject subject) => e switch
    {
        RpcException known => known.Error,
        CoppiceException error => new RemoteError(CodeOf(error.Kind, subject), RpcOrigin.Qemu, Heading(error.Kind, subject) + error.Message),
        WireException => new RemoteError(RpcCode.Rpc, RpcOrigin.Rpc, "Unable to decode message payload"),
        OperationCanceledException => new RemoteError(RpcCode.OperationAborted, RpcOrigin.Qemu, "operation aborted: the server is being stopped"),
        _ => new RemoteError(RpcCode.InternalError, RpcOrigin.Qemu, $"internal error: {e.GetType().Name}: {e.Message}"),
    };

    private static int CodeOf(ErrorKind kind, CallSubject subject) => kind switch
    {
        ErrorKind.InvalidInput => RpcCode.InvalidArgument,
        ErrorKind.NotFound => RpcCode.InvalidArgument,
        ErrorKind.AlreadyExists => subject is CallSubject.Snapshot ? RpcCode.OperationFailed : RpcCode.DomainExists,
        ErrorKind.WrongState => RpcCode.OperationInvalid,
        ErrorKind.MissingCapability => RpcCode.ConfigurationUnsupported,
        ErrorKind.WouldLose => subject is CallSubject.Snapshot ? RpcCode.RevertRisky : RpcCode.OperationInvalid,
        ErrorKind.Busy => RpcCode.OperationTimeout,
        ErrorKind.Forbidden => RpcCode.OperationDenied,
        ErrorKind.Storage => RpcCode.SystemError,
        ErrorKind.Hypervisor or ErrorKind.Uncertain => RpcCode.OperationFailed,
        ErrorKind.Cancelled => RpcCode.OperationAborted,
        _ => RpcCode.InternalError,
    };

    // Clients and scripts look for the words that libvirt begins with.
    private static string Heading(ErrorKind kind, CallSubject subject) => kind switch
    {
        // Domain and snapshot were found before anything was begun: what is missing is a disk or a file.
        ErrorKind.InvalidInput or ErrorKind.NotFound => "invalid argument: ",
        ErrorKind.AlreadyExists or ErrorKind.Hypervisor or ErrorKind.Uncertain => "operation failed: ",
        ErrorKind.WrongState => "Requested operation is not valid: ",
        ErrorKind.MissingCapability => "unsupported configuration: ",
        ErrorKind.WouldLose => subject is CallSubject.Snapshot ? "revert requires force: " : "Requested operation is not valid: ",
        ErrorKind.Busy => "Timed out during operation: ",
        ErrorKind.Forbidden => "operation forbidden: ",
        ErrorKind.Cancelled => "operation aborted: ",
        ErrorKind.Storage => "",
        _ => "internal error: ",
    };
}
