namespace Coppice.Core;

/// <summary>
/// What an overlay has to be that the user made beforehand. That it is qcow2 and builds on the layer of the head was checked
/// when it was observed.
/// </summary>
internal static class PreparedOverlay
{
    /// <summary>The file that was given for a disk.</summary>
    /// <exception cref="CoppiceException">None was given (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static string NameOf(DiskIntent disk, Observed observed) => disk.File ?? throw new CoppiceException(
        ErrorKind.InvalidInput, Subject(disk, observed), "is to use an overlay that was made beforehand, and none is named",
        $"name it: --disk {disk.Device.Target}=external:FILE");

    /// <summary>Requires it to be empty, of the size of the disk, to have one name, and to lie where nobody removes it.</summary>
    /// <exception cref="CoppiceException">
    /// It holds something, or its disk has another size (<see cref="ErrorKind.InvalidInput"/>); it has more than one name
    /// or lies in the folder of a domain (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public static void Require(DiskIntent disk, string file, Observed observed)
    {
        var subject = $"overlay {file} for {Subject(disk, observed)}";
        if (file.StartsWith($"{observed.Folder.Home.Domains}/", StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.Forbidden, subject, "lies among what Coppice keeps, and would go with the domain, although it is yours",
                $"make it elsewhere, such as beside {disk.Head!.Path}");
        }

        var overlay = observed.Overlays.GetValueOrDefault(file)
            ?? throw new CoppiceException(ErrorKind.Internal, subject, "it was not observed before planning");
        var head = disk.Head!;
        var size = observed.Layers.GetValueOrDefault(head.Id)?.VirtualSize is { Bytes: > 0 } now ? now : head.VirtualSize;
        var problem = overlay switch
        {
            _ when !overlay.IsEmpty || !overlay.Internals.IsEmpty => "is not empty: it would hide what the disk holds",
            _ when overlay.VirtualSize != size => $"is a disk of {overlay.VirtualSize.Bytes} bytes, the disk has {size.Bytes}",
            _ => null,
        };
        if (problem is not null)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, subject, problem,
                $"make a new one: qemu-img create -u -f qcow2 -b {head.Path} -F {Format(head)} FILE {size.Bytes}");
        }

        if (observed.Files.GetValueOrDefault(file)?.Links is > 1 and var links)
        {
            throw new CoppiceException(
                ErrorKind.Forbidden, subject, $"has {links} names, and a file that is shared is never written",
                "make one with a name of its own");
        }
    }

    private static string Subject(DiskIntent disk, Observed observed) =>
        $"disk '{disk.Device.Target}' of domain '{observed.Catalog.Name}'";

    private static string Format(Layer layer) => layer.Format is ImageFormat.Qcow2 ? "qcow2" : "raw";
}
