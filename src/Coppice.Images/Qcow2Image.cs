namespace Coppice.Images;

/// <summary>
/// A qcow2 image opened read-only, without locks. Not for several threads at once.
/// <para>
/// A running QEMU keeps tables in its caches, so the file of a running machine may say less than is true: ask QEMU about
/// a head in use, and this class about frozen layers and stopped machines.
/// </para>
/// </summary>
public sealed class Qcow2Image : IDisposable
{
    private readonly Stream _stream;
    private readonly ImageBytes _bytes;

    private Qcow2Image(Stream stream, string namedPath, string realPath)
    {
        _stream = stream;
        _bytes = new ImageBytes(stream, namedPath);
        RealPath = realPath;
        Header = Qcow2HeaderParser.Parse(_bytes);
    }

    /// <summary>The path after all symbolic links.</summary>
    public string RealPath { get; }

    /// <summary>The checked header.</summary>
    public Qcow2Header Header { get; }

    /// <summary>Opens a file that the records call qcow2, and checks its header. Never follows its backing file.</summary>
    /// <exception cref="ImageException">Missing, not a regular file, malformed, unsupported or unreadable.</exception>
    public static Qcow2Image Open(string path)
    {
        using var file = PinnedFile.Open(path);
        return Open(file);
    }

    /// <summary>Opens a pinned file.</summary>
    /// <exception cref="ImageException">Malformed, unsupported or unreadable.</exception>
    public static Qcow2Image Open(PinnedFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        var stream = file.OpenRead();
        try
        {
            return new Qcow2Image(stream, file.NamedPath, file.RealPath);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Reads an image that is not a file, a volume for instance. The stream is disposed of with the image.</summary>
    /// <param name="image">Seekable; taken over if the header is accepted.</param>
    /// <param name="path">What to call it in messages; becomes <see cref="RealPath"/>.</param>
    /// <exception cref="ImageException">Malformed, unsupported or unreadable.</exception>
    public static Qcow2Image Open(Stream image, string path)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(path);
        return new Qcow2Image(image, path, path);
    }

    /// <summary>The internal snapshots, in the order of the table.</summary>
    /// <exception cref="ImageException">The table is malformed or over a limit.</exception>
    public IReadOnlyList<InternalSnapshot> ReadSnapshots()
    {
        Qcow2HeaderRules.RequireReadableTables(Header, _bytes);
        return SnapshotTableReader.Read(Header, _bytes);
    }

    /// <summary>
    /// The memory that an internal snapshot keeps, from beginning to end: what <c>savevm</c> wrote, which is a migration stream.
    /// It never changes, so the image may be in use. Read it before the image is closed.
    /// </summary>
    /// <exception cref="ImageException">It keeps none, or a table is malformed; while reading: likewise.</exception>
    public Stream OpenMemory(InternalSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return new VmStateStream(Header, _bytes, snapshot);
    }

    /// <summary>
    /// The ranges of the disk that this layer itself defines, in ascending order, read as they are asked for. Neighbours
    /// of one kind are merged within an L2 table (512 MiB of disk with QEMU's default cluster), not across.
    /// </summary>
    /// <param name="cancel">Observed before each L2 table.</param>
    /// <exception cref="ImageException">While enumerating: a table is malformed, or its format unknown.</exception>
    public IEnumerable<GuestExtent> Extents(CancellationToken cancel = default) => AllocationWalk.Extents(Header, _bytes, cancel);

    /// <summary>
    /// Whether the layer defines anything: an overlay without is clean. Zeros count, since they hide the backing file.
    /// Returns at the first range found.
    /// </summary>
    public bool HasAllocatedData(CancellationToken cancel = default) => Extents(cancel).Any();

    /// <summary>
    /// Whether a guest may have written to the layer. Sound also while QEMU has the image open: it keeps what L2 tables say to
    /// itself for a while, but writes at once that there is one (the L1 table).
    /// </summary>
    public bool HasBeenWritten() => AllocationWalk.HasTables(Header, _bytes);

    /// <summary>How much of the disk the layer defines.</summary>
    public GuestAllocation MeasureAllocation(CancellationToken cancel = default)
    {
        Span<long> sums = stackalloc long[3];
        foreach (var extent in Extents(cancel))
        {
            sums[(int)extent.Kind] += extent.LengthBytes;
        }

        return new GuestAllocation(sums[(int)ExtentKind.Data], sums[(int)ExtentKind.Compressed], sums[(int)ExtentKind.Zero]);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _stream.Dispose();
}
