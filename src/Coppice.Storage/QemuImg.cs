using System.Globalization;
using System.Text.Json.Nodes;
using Coppice.Core;

namespace Coppice.Storage;

/// <summary>
/// The tool qemu-img. It opens only images whose formats are recorded and whose chains have been checked, and it is told
/// format and chain of each: it looks into no file for what to open next.
/// </summary>
internal sealed class QemuImg(TimeProvider time)
{
    private const string InUse = "Is another process using the image";

    // Exit codes of qemu-img check: it was not done, corruptions were found, leaked clusters were found.
    private const int CannotOpen = 1, Corrupt = 2, Leaking = 3;

    private static readonly string[] s_onNothing = ["--target-is-zero"];

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private readonly HostProgram _program = new("qemu-img", "qemu-utils", time);

    /// <summary>Copies a raw image.</summary>
    public Task ConvertAsync(string source, string path, ImageFormat format, CancellationToken cancellation) => RunAsync(
        source, ["convert", "-q", "-O", format.Name(), "--", Raw(source), path], cancellation);

    /// <summary>Whether an image that builds on nothing has the content of a raw one; not so if either cannot be read.</summary>
    public async Task<bool> HoldsAsync(string path, ImageFormat format, string source, CancellationToken cancellation)
    {
        var (code, _) = await TryAsync(
            ["compare", "-q", "-U", "--", Alone(path, format), Raw(source)], s_limit, path, cancellation).ConfigureAwait(false);
        return code == 0;
    }

    /// <summary>Makes an internal snapshot.</summary>
    public Task CreateSnapshotAsync(InternalArguments snapshot, CancellationToken cancellation) =>
        RunAsync(
            snapshot.Path, ["snapshot", "-q", "-c", snapshot.Tag, "--", Alone(snapshot.Path)], cancellation, Timeout.InfiniteTimeSpan);

    /// <summary>Removes an internal snapshot.</summary>
    public Task DeleteSnapshotAsync(InternalArguments snapshot, CancellationToken cancellation) =>
        RunAsync(
            snapshot.Path, ["snapshot", "-q", "-d", snapshot.Tag, "--", Alone(snapshot.Path)], cancellation, Timeout.InfiniteTimeSpan);

    /// <summary>Makes an image larger.</summary>
    public Task ResizeAsync(ResizeArguments image, CancellationToken cancellation) => RunAsync(
        image.Path, ["resize", "-q", "--", Alone(image.Path, image.Format), Size(image.SizeBytes)], cancellation);

    /// <summary>
    /// Copies the disk of an internal snapshot, without its memory, out of an image that may be in use: only the clusters that
    /// the image itself has. The copy is bound to its parent last, so that nothing opens the chain below it.
    /// </summary>
    public async Task CopySnapshotAsync(string path, CopyArguments copy, CancellationToken cancellation)
    {
        var (image, snapshot) = (copy.Copy, copy.Snapshot);

        // Made as large as the image is now: a disk that was resized since gets its former size afterwards.
        var (now, then) = Sizes(snapshot);
        var whole = image with { BackingName = null, VirtualSizeBytes = Math.Max(now, then) };
        OverlaySteps.Write(path, whole);

        await RunAsync(
            image.Path,
            [
                "convert", "-q", "-U", "-n", "-O", "qcow2", "-l", $"snapshot.name={snapshot.Tag.Replace(",", ",,", StringComparison.Ordinal)}",
                .. copy.ParentPath is { } parent ? ["-B", parent, "-F", image.BackingFormat.Name()] : s_onNothing,
                "--", Source(copy), path,
            ],
            cancellation, Timeout.InfiniteTimeSpan).ConfigureAwait(false);
        if (image.BackingName is { } name)
        {
            await RelinkAsync(image.Path, path, name, image.BackingFormat, cancellation).ConfigureAwait(false);
        }

        await RunAsync(
            image.Path, ["resize", "-q", "--shrink", "--", Alone(path), Size(then)], cancellation)
            .ConfigureAwait(false);
    }

    /// <summary>
    /// Lets the header of an image that nobody uses name another one that it builds on; that one is not opened.
    /// </summary>
    public Task RelinkAsync(string path, BackingArguments backing, CancellationToken cancellation) =>
        RelinkAsync(path, path, backing.Name, backing.Format, cancellation);

    /// <summary>Checks an image, and mends it if need be.</summary>
    /// <returns>False if a process has it open; then it was not touched.</returns>
    /// <exception cref="CoppiceException">It is broken beyond that.</exception>
    public async Task<bool> TryRepairAsync(string path, CancellationToken cancellation)
    {
        var (code, errors) = await TryAsync(["check", "-q", "--", Alone(path)], Timeout.InfiniteTimeSpan, path, cancellation)
            .ConfigureAwait(false);
        if (code is Corrupt or Leaking)
        {
            (code, errors) = await TryAsync(
                ["check", "-q", "-r", "all", "--", Alone(path)], Timeout.InfiniteTimeSpan, path, cancellation).ConfigureAwait(false);
        }

        return code switch
        {
            0 => true,
            CannotOpen when errors.Contains(InUse, StringComparison.Ordinal) => false,
            _ => throw Failed(path, errors),
        };
    }

    /// <summary>
    /// Whether the tables of an image fit. It is only read, and first without QEMU's lock of images (<c>-U</c>): a process that
    /// starts meanwhile must not find it taken. What does not fit then may be half written, and only the lock tells whether
    /// somebody writes.
    /// </summary>
    /// <exception cref="CoppiceException">It cannot be opened.</exception>
    public async Task<ImageHealth> ExamineAsync(string path, CancellationToken cancellation)
    {
        var (code, errors) = await CheckAsync("-U").ConfigureAwait(false);
        if (code != 0)
        {
            (code, errors) = await CheckAsync().ConfigureAwait(false);
        }

        return code switch
        {
            0 => ImageHealth.Sound,
            Corrupt => ImageHealth.Corrupt,
            Leaking => ImageHealth.Leaking,
            CannotOpen when errors.Contains(InUse, StringComparison.Ordinal) => ImageHealth.InUse,
            _ => throw Failed(path, errors),
        };

        Task<(int Code, string Errors)> CheckAsync(params string[] options) =>
            TryAsync(["check", "-q", .. options, "--", Alone(path)], Timeout.InfiniteTimeSpan, path, cancellation);
    }

    /// <summary>Gives back the clusters of an image that nothing uses.</summary>
    public Task RepairLeaksAsync(string path, CancellationToken cancellation) =>
        RunAsync(path, ["check", "-q", "-r", "leaks", "--", Alone(path)], cancellation, Timeout.InfiniteTimeSpan);

    /// <summary>Refuses an image that another process writes to.</summary>
    public async Task RequireFreeAsync(string path, CancellationToken cancellation)
    {
        var (code, errors) = await TryAsync(["info", "--", Alone(path)], s_limit, path, cancellation).ConfigureAwait(false);
        if (code != 0)
        {
            throw errors.Contains(InUse, StringComparison.Ordinal)
                ? new CoppiceException(
                    ErrorKind.WrongState, path, "is in use by another process", "end that process, or name another file")
                : Failed(path, errors);
        }
    }

    private Task RelinkAsync(string subject, string path, string name, ImageFormat format, CancellationToken cancellation) => RunAsync(
        subject, ["rebase", "-q", "-u", "-f", "qcow2", "-b", name, "-F", format.Name(), "--", path], cancellation);

    private static (long Now, long Then) Sizes(InternalArguments snapshot) => ImageErrors.Guard(snapshot.Path, () =>
    {
        using var image = Images.Qcow2Image.Open(snapshot.Path);
        var found = image.ReadSnapshots().FirstOrDefault(s => s.Name == snapshot.Tag) ?? throw InternalSteps.Missing(snapshot);
        return (image.Header.VirtualSizeBytes, found.DiskSizeBytes);
    });

    private static string Size(long bytes) => bytes.ToString(CultureInfo.InvariantCulture);

    /// <summary>A qcow2 image without what it builds on, for what concerns its own tables only.</summary>
    private static string Alone(string path) => Spelled(Node("qcow2", path), null);

    private static string Alone(string path, ImageFormat format) => format is ImageFormat.Qcow2 ? Alone(path) : Raw(path);

    private static string Raw(string path) => $"json:{Node("raw", path).ToJsonString()}";

    /// <summary>An image and its parent; below the parent nothing is opened.</summary>
    private static string Source(CopyArguments copy)
    {
        var parent = copy.ParentPath is { } path ? Node(copy.Copy.BackingFormat.Name(), path, copy.ParentType) : null;
        if (parent is not null && copy.Copy.BackingFormat is ImageFormat.Qcow2)
        {
            parent["backing"] = null;
        }

        return Spelled(Node("qcow2", copy.Snapshot.Path), parent);
    }

    private static string Spelled(JsonObject image, JsonObject? parent)
    {
        image["backing"] = parent;
        return $"json:{image.ToJsonString()}";
    }

    private static JsonObject Node(string driver, string path, StorageType type = StorageType.File) => new()
    {
        ["driver"] = driver,
        ["file"] = new JsonObject { ["driver"] = type is StorageType.Block ? "host_device" : "file", ["filename"] = path },
    };

    private async Task RunAsync(string subject, IEnumerable<string> arguments, CancellationToken cancellation, TimeSpan? limit = null)
    {
        var (code, errors) = await TryAsync(arguments, limit ?? s_limit, subject, cancellation).ConfigureAwait(false);
        if (code != 0)
        {
            throw Failed(subject, errors);
        }
    }

    private async Task<(int Code, string Errors)> TryAsync(
        IEnumerable<string> arguments, TimeSpan most, string subject, CancellationToken cancellation)
    {
        var answer = await _program.RunAsync(arguments, most, subject, cancellation).ConfigureAwait(false);
        return (answer.Code, answer.Errors);
    }

    private static CoppiceException Failed(string subject, string errors)
    {
        var reason = errors.Trim().Split('\n')[^1];
        var (problem, nextStep) = reason switch
        {
            _ when reason.Contains("No space left on device", StringComparison.Ordinal) =>
                ("no space is left on the file system", "free some space and try again"),
            _ when reason.Contains("Read-only file system", StringComparison.Ordinal) =>
                ("the file system is read-only", "remount it writable or use another folder"),
            _ when errors.Contains(InUse, StringComparison.Ordinal) =>
                ("is in use by another process", "end the program that has it open, then try again"),
            _ => ($"qemu-img failed ({reason})", "check the permissions of file and folder"),
        };
        return new CoppiceException(ErrorKind.Storage, subject, problem, nextStep);
    }
}
