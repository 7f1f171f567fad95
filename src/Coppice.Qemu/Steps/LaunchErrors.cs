using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Coppice.Core;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>Turns what QEMU wrote before it gave up into errors that name the thing and the way out.</summary>
internal static partial class LaunchErrors
{
    private const string InUse = "is in use by another process";
    private const string EndTheOther = "end the program that has it open, then try again";

    private static readonly (string Words, ErrorKind Kind, string Problem, string NextStep)[] s_known =
    [
        ("Failed to get \"", ErrorKind.WrongState, InUse, EndTheOther),
        ("Failed to get shared", ErrorKind.WrongState, InUse, EndTheOther),
        ("could not open kernel file", ErrorKind.NotFound, "the kernel cannot be opened", "correct <kernel> by 'coppice define'"),
        ("could not load initrd", ErrorKind.NotFound, "the initrd cannot be opened", "correct <initrd> by 'coppice define'"),
        ("Could not lock access to lockfile", ErrorKind.WrongState, "its TPM is in use by another process", EndTheOther),
        ("tpm-emulator:", ErrorKind.Hypervisor, "its TPM does not work", "if it is damaged, revert to a snapshot"),
        ("driver requires '", ErrorKind.InvalidInput, "is not what the definition says", "define the disk with the type that it has"),
        ("No such file or directory", ErrorKind.NotFound, "does not exist", "restore the file, or correct the definition"),
        ("Permission denied", ErrorKind.Storage, "permission denied", "let the user who runs QEMU read and write it"),
        ("Read-only file system", ErrorKind.Storage, "its file system is read-only", "remount it writable"),
        ("Cannot allocate memory", ErrorKind.MissingCapability, "the host has not enough memory for the guest", "give the guest less"),
        ("KVM", ErrorKind.MissingCapability, "KVM does not work on this host", "define the domain with type='qemu'"),
        ("load of migration failed", ErrorKind.Damaged, "the memory image cannot be loaded", "revert to another snapshot"),
        ("is not compatible with", ErrorKind.InvalidInput, "the devices do not fit together", "correct the definition"),
    ];

    /// <summary>The error for a process that ended while it was started.</summary>
    public static CoppiceException Explain(string log, LaunchArguments launch, Exception cause)
    {
        var domain = $"domain '{launch.Domain}'";
        if (Known(log, domain, launch.Images, cause) is { } known)
        {
            return known;
        }

        var last = Lines(log).LastOrDefault(l => !l.Contains("warning:", StringComparison.Ordinal));
        return last is null
            ? new CoppiceException(
                ErrorKind.Hypervisor, domain, $"QEMU did not start: {cause.Message}", $"see whether {launch.Binary} runs", cause)
            : new CoppiceException(
                ErrorKind.Hypervisor, domain, $"QEMU refused to start: {Clean(last)}", "correct the definition", cause);
    }

    /// <summary>The error for words of QEMU's that are known; null for others.</summary>
    /// <param name="log">What QEMU said.</param>
    /// <param name="subject">What it was about, unless it names an image or another file of it.</param>
    /// <param name="images">The files that it was to open, by node name.</param>
    /// <param name="cause">The failure that led to the question.</param>
    public static CoppiceException? Known(
        string log, string subject, ImmutableDictionary<string, string> images, Exception cause)
    {
        var lines = Lines(log);
        foreach (var known in s_known)
        {
            if (lines.FirstOrDefault(l => l.Contains(known.Words, StringComparison.Ordinal)) is { } line)
            {
                return new CoppiceException(
                    known.Kind, Subject(line, images, subject), $"{known.Problem} (QEMU: {Clean(line)})", known.NextStep, cause);
            }
        }

        return null;
    }

    /// <summary>The error for what QEMU says of the images of a chain; null if its words are not known.</summary>
    /// <param name="refusal">What it says.</param>
    /// <param name="subject">What they are of.</param>
    /// <param name="chain">The layers that it was to open.</param>
    public static CoppiceException? OfImages(QmpRefusalException refusal, string subject, ImmutableArray<Layer> chain) => Known(
        refusal.Description, subject, chain.ToImmutableDictionary(l => BlockNodes.NameOf(l.Id), l => l.Path), refusal);

    private static string[] Lines(string log) =>
        log.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string Subject(string line, ImmutableDictionary<string, string> images, string domain)
    {
        var image = images.FirstOrDefault(
            i => line.Contains(i.Key, StringComparison.Ordinal) || line.Contains(i.Value, StringComparison.Ordinal));
        if (image.Value is { } path)
        {
            return $"image {path} of {domain}";
        }

        var quoted = Quoted().Match(line);
        return quoted.Success ? $"file {quoted.Groups[1].Value} of {domain}" : domain;
    }

    private static string Clean(string line)
    {
        var colon = line.IndexOf(": ", StringComparison.Ordinal);
        var text = line.StartsWith("qemu", StringComparison.Ordinal) && colon > 0 ? line[(colon + 2)..] : line;
        var words = new string([.. text.Where(c => !char.IsControl(c))]);
        return words.Length > 300 ? words[..300] + "…" : words;
    }

    [GeneratedRegex("'(/[^']+)'")]
    private static partial Regex Quoted();
}
