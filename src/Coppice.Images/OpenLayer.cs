namespace Coppice.Images;

/// <summary>One layer of a disk, opened to read what the guest would. Without locks: a process may have the file open.</summary>
internal abstract class OpenLayer : IDisposable
{
    private readonly FileStream _stream;

    private OpenLayer(FileStream stream, string path)
    {
        _stream = stream;
        Bytes = new ImageBytes(stream, path);
        Path = path;
    }

    /// <summary>The file after all symbolic links.</summary>
    public string Path { get; }

    /// <summary>The size of its disk.</summary>
    public abstract long SizeBytes { get; }

    protected ImageBytes Bytes { get; }

    /// <summary>Opens a layer, or one of its internal snapshots.</summary>
    /// <exception cref="ImageException">It cannot be read, or has no such snapshot.</exception>
    public static OpenLayer Open(GuestLayer layer)
    {
        using var file = layer.Image.Pin();
        var stream = (FileStream)file.OpenRead();
        try
        {
            return layer.Image.Format is ImageFormat.Raw
                ? new Raw(stream, file.RealPath, file.LengthBytes)
                : new Qcow2(stream, file.RealPath, layer.Tag);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The ranges of the disk that it defines, in ascending order.</summary>
    public abstract IEnumerable<GuestExtent> Extents(CancellationToken cancel);

    /// <summary>What it says from an offset on, which lies on its disk.</summary>
    public abstract Placement Find(long at);

    /// <summary>Reads stored data that <see cref="Find"/> has found, no further than it reaches.</summary>
    public abstract void Read(long at, Placement found, Span<byte> destination);

    public void Dispose() => _stream.Dispose();

    private sealed class Raw(FileStream stream, string path, long length) : OpenLayer(stream, path)
    {
        private (bool IsData, long End) _run;
        private long _runAt = long.MaxValue;

        public override long SizeBytes => length;

        public override IEnumerable<GuestExtent> Extents(CancellationToken cancel)
        {
            // It builds on nothing, so that its holes are zeros.
            for (var at = 0L; at < length; at = RunAt(at).End)
            {
                cancel.ThrowIfCancellationRequested();
                yield return new GuestExtent(at, RunAt(at).End - at, RunAt(at).IsData ? ExtentKind.Data : ExtentKind.Zero);
            }
        }

        public override Placement Find(long at)
        {
            var (isData, end) = RunAt(at);
            return new Placement(isData ? ExtentKind.Data : ExtentKind.Zero, isData ? at : 0, end - at);
        }

        public override void Read(long at, Placement found, Span<byte> destination) => Bytes.Read(at, destination, "data");

        private (bool IsData, long End) RunAt(long at)
        {
            if (at < _runAt || at >= _run.End)
            {
                (_run, _runAt) = (SparseFile.RunAt(_stream.SafeFileHandle, at, length), at);
            }

            return _run;
        }
    }

    private sealed class Qcow2 : OpenLayer
    {
        private readonly Qcow2Header _header;
        private readonly ClusterMap _map;

        public Qcow2(FileStream stream, string path, string? tag)
            : base(stream, path)
        {
            var header = Qcow2HeaderParser.Parse(Bytes);
            Qcow2HeaderRules.RequireReadableTables(header, Bytes);
            _header = tag is null ? header : OfSnapshot(header, tag);
            _map = new ClusterMap(_header, Bytes);
        }

        public override long SizeBytes => _header.VirtualSizeBytes;

        public override IEnumerable<GuestExtent> Extents(CancellationToken cancel) =>
            AllocationWalk.Extents(_header, Bytes, cancel);

        public override Placement Find(long at) => _map.Find(at);

        public override void Read(long at, Placement found, Span<byte> destination) => _map.Read(at, found, destination);

        /// <summary>An internal snapshot is an L1 table of its own, and the size that the disk had.</summary>
        private Qcow2Header OfSnapshot(Qcow2Header header, string tag)
        {
            var snapshot = SnapshotTableReader.Read(header, Bytes).FirstOrDefault(s => s.Name == tag)
                ?? throw new ImageException(
                    ImageFault.Missing, Path, $"it has no internal snapshot {Quoted.Name(tag)}", "name another snapshot");
            Qcow2HeaderRules.CheckL1(
                header, Bytes, snapshot.L1OffsetBytes, snapshot.L1Entries, snapshot.DiskSizeBytes, "snapshot L1 table");
            return header with
            {
                L1Offset = snapshot.L1OffsetBytes, L1Entries = snapshot.L1Entries, VirtualSizeBytes = snapshot.DiskSizeBytes,
            };
        }
    }
}
