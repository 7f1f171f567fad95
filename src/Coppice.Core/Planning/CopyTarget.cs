namespace Coppice.Core;

/// <summary>What an image has to be into which a disk is copied.</summary>
public static class CopyTarget
{
    /// <summary>The layer of a copy. It is the user's from the beginning if the image is.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="source">The layer that the guest writes to.</param>
    /// <param name="id">Its id.</param>
    public static Layer Layer(CopyDisk request, Layer source, ShortId id)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(source);
        var isDevice = DevicePath.Names(request.Path);
        return new Layer
        {
            Id = id,
            Disk = source.Disk,
            Path = request.Path,
            Type = isDevice ? StorageType.Block : StorageType.File,
            Format = isDevice ? ImageFormat.Raw : request.Format ?? source.Format,
            VirtualSize = source.VirtualSize,
            Parent = request.Shallow ? source.Parent : null,
            Origin = request.Reuse ? LayerOrigin.User : LayerOrigin.Coppice,
        };
    }

    /// <summary>Refuses one that cannot take the disk, or that would not be the user's alone.</summary>
    /// <exception cref="CoppiceException">The message says what to change.</exception>
    internal static void Require(PlanContext context, CopyDisk request, Layer target)
    {
        var subject = $"copy of disk '{target.Disk}' of {context.Subject} in {target.Path}";
        if (target.Path.StartsWith($"{context.Observed.Folder.Home.Domains}/", StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.Forbidden, subject, "lies among what Coppice keeps, and would go with the domain, although it is to be yours",
                "name a file elsewhere");
        }

        if (target.Type is StorageType.Block && request.Format is ImageFormat.Qcow2)
        {
            throw new CoppiceException(ErrorKind.InvalidInput, subject, "is a device, and holds the disk itself: raw", "leave the format out, or say raw");
        }

        if (target.Format is ImageFormat.Raw && request.Shallow)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, subject, "is to build on another image, which a raw one cannot", "use --format qcow2, or copy the whole disk");
        }

        if (request.Reuse)
        {
            RequirePrepared(context, subject, request, target);
        }
        else if (target.Type is StorageType.File && context.Observed.Files.ContainsKey(target.Path))
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, subject, "is there already", "name a new file, or say that it is to be overwritten: --reuse");
        }
        else if (target.Type is StorageType.Block)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, subject, "is a device, which is there already", "say that it is to be overwritten: --reuse");
        }
    }

    private static void RequirePrepared(PlanContext context, string subject, CopyDisk request, Layer target)
    {
        var found = context.Observed.Overlays.GetValueOrDefault(target.Path) ?? throw new CoppiceException(
            ErrorKind.NotFound, subject, "is not there, and was to be used", "make it, or leave --reuse out so that it is made");
        var problem = found switch
        {
            _ when !found.Internals.IsEmpty => "holds snapshots, which would be lost",
            _ when request.Shallow && !found.IsEmpty => "is not empty: it would hide what the disk holds",
            _ when found.VirtualSize.Bytes < target.VirtualSize.Bytes || (target.Type is StorageType.File && found.VirtualSize != target.VirtualSize) =>
                $"is a disk of {found.VirtualSize.Bytes} bytes, the disk has {target.VirtualSize.Bytes}",
            _ when context.Observed.Files.GetValueOrDefault(target.Path)?.Links is > 1 => "has other names, and a file that is shared is never written",
            _ => null,
        };
        if (problem is not null)
        {
            throw new CoppiceException(ErrorKind.InvalidInput, subject, problem, "make a new one, or leave --reuse out so that it is made");
        }
    }
}
