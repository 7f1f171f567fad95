using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>Where a client wants a copy of a disk, and how it is made.</summary>
/// <param name="Path">The image.</param>
/// <param name="Format">Its format; null for that of the disk.</param>
/// <param name="IsDevice">It is a block device, which is there already.</param>
/// <param name="Flags">virDomainBlockCopyFlags.</param>
internal sealed record CopyDestination(string Path, ImageFormat? Format, bool IsDevice, uint Flags)
{
    private const uint Shallow = 1, Reuse = 2, TransientJob = 4, Synchronous = 8;

    // virDomainBlockRebaseFlags; the first two are the same.
    private const uint RebaseRaw = 4, RebaseCopy = 8, RebaseDevice = 32, RebaseInBytes = 64;

    /// <summary>Whether it was made beforehand.</summary>
    public bool IsThere => Flags.Has(Reuse) || IsDevice;

    private MirrorPace Pace { get; init; } = new();

    /// <summary>Whether a rebase is a copy.</summary>
    public static bool IsCopy(uint flags) => flags.Has(RebaseCopy);

    /// <summary>The one that a document names.</summary>
    /// <param name="xml">An element <c>disk</c>.</param>
    /// <param name="parameters">virDomainBlockCopyParameters.</param>
    /// <param name="flags">virDomainBlockCopyFlags.</param>
    /// <exception cref="RpcException">It is none, or something is asked for that is not known.</exception>
    public static CopyDestination Of(string xml, ImmutableArray<TypedParameter> parameters, uint flags)
    {
        Libvirt.Flags.Require(flags, Shallow | Reuse | TransientJob | Synchronous, "block copy");
        var disk = Documents.Element(xml, "disk");
        var source = disk.Element("source");
        var device = source?.Attribute("dev")?.Value;
        var path = device ?? source?.Attribute("file")?.Value
            ?? throw RpcException.Unsupported("a disk is copied to a file or a block device: name it as <source file='...'/> or <source dev='...'/>");
        var format = disk.Element("driver")?.Attribute("type")?.Value;
        var pace = new MirrorPace { Synchronous = flags.Has(Synchronous) };
        foreach (var parameter in parameters)
        {
            pace = (parameter.Field, Size(parameter)) switch
            {
                ("bandwidth", var size) => pace with { PerSecond = size },
                ("granularity", var size) => pace with { Granularity = size },
                ("buf-size", var size) => pace with { Buffer = size },
                _ => throw RpcException.InvalidArgument($"parameter '{parameter.Field}' of a block copy is not known"),
            };
        }

        return new CopyDestination(path, format is null ? null : FormatOf(format), device is not null, flags) { Pace = pace };
    }

    /// <summary>The one that a rebase names.</summary>
    /// <param name="path">The image.</param>
    /// <param name="bandwidth">The most in a second, in MiB or bytes; 0 for as much as there is.</param>
    /// <param name="flags">virDomainBlockRebaseFlags.</param>
    /// <exception cref="RpcException">It is none.</exception>
    public static CopyDestination Of(string? path, ulong bandwidth, uint flags)
    {
        Libvirt.Flags.Require(flags, Shallow | Reuse | RebaseRaw | RebaseCopy | RebaseDevice | RebaseInBytes, "block rebase");
        return new CopyDestination(
            path ?? throw RpcException.InvalidArgument("a copy needs a destination"), flags.Has(RebaseRaw) ? ImageFormat.Raw : null,
            flags.Has(RebaseDevice), flags & (Shallow | Reuse))
        {
            Pace = new MirrorPace { PerSecond = InASecond(bandwidth, flags.Has(RebaseInBytes)) },
        };
    }

    /// <summary>What a client calls so much in a second.</summary>
    /// <param name="bandwidth">How much; 0 for as much as there is.</param>
    /// <param name="inBytes">Whether it is in bytes, rather than MiB.</param>
    /// <exception cref="RpcException">Nothing is as much.</exception>
    public static ByteCount? InASecond(ulong bandwidth, bool inBytes)
    {
        var unit = inBytes ? 1ul : 1ul << 20;
        return bandwidth > long.MaxValue / unit ? throw RpcException.InvalidArgument($"bandwidth must be less than {long.MaxValue / unit}")
            : bandwidth is 0 ? null
            : new ByteCount((long)(bandwidth * unit));
    }

    /// <summary>The request. A job that may not end with its guest is not for a domain that stays.</summary>
    /// <exception cref="RpcException">It is not.</exception>
    public CopyDisk ToRequest(string domain, DiskChain disk) =>
        !Flags.Has(TransientJob) && disk.Catalog.Persistence is Persistence.Persistent or Persistence.Autostart
            ? throw RpcException.OperationInvalid("domain is not transient")
            : new CopyDisk(domain, disk.Target, Path)
            {
                Format = Format, Shallow = Flags.Has(Shallow), Reuse = IsThere, Pace = Pace,
            };

    private static ImageFormat FormatOf(string name) => name switch
    {
        "qcow2" => ImageFormat.Qcow2,
        "raw" => ImageFormat.Raw,
        _ => throw new RpcException(
            RpcCode.ConfigurationUnsupported, RpcOrigin.Qemu, $"unsupported configuration: unknown driver format value '{name}'"),
    };

    private static ByteCount? Size(TypedParameter parameter) => parameter.Value switch
    {
        uint size => size is 0 ? null : new ByteCount(size),
        ulong size and <= long.MaxValue => size is 0 ? null : new ByteCount((long)size),
        _ => throw RpcException.InvalidArgument($"parameter '{parameter.Field}' of a block copy is no size"),
    };
}
