using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Coppice.Core;

namespace Coppice.Cli;

/// <summary>Reads the values of options. Strict: what could mean two things is refused.</summary>
internal static class Values
{
    /// <summary>The word for a domain without a network card.</summary>
    public const string NoNetwork = "none";

    /// <summary>A size with its unit, binary: <c>512M</c>, <c>2G</c>.</summary>
    public static ByteCount Size(string text)
    {
        var shift = text.Length == 0 ? -1 : "BKMGT".IndexOf(char.ToUpperInvariant(text[^1]), StringComparison.Ordinal) * 10;
        if (shift < 0 || !long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
        {
            throw new FormatException($"'{text}' is no size: write a whole number and its unit, such as 512M or 2G");
        }

        return count <= long.MaxValue >> shift ? new ByteCount(count << shift) : throw new FormatException($"'{text}' is too large");
    }

    /// <summary><c>none</c>, <c>internal[:DISK]</c> or <c>external[:FILE]</c>.</summary>
    public static MemoryRequest Memory(string text)
    {
        var (mode, detail) = Split(text);
        return mode switch
        {
            "none" when detail is null => new MemoryRequest(MemoryMode.None),
            "internal" => new MemoryRequest(MemoryMode.Internal, Disk: detail),
            "external" => new MemoryRequest(MemoryMode.External, File: Absolute(detail)),
            _ => throw new FormatException($"'{text}' is not known: write none, internal[:DISK] or external[:FILE]"),
        };
    }

    /// <summary><c>[DISK=]NAME</c>: the name of a file, without a folder.</summary>
    public static FinalName FinalName(string text)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        var name = new FinalName(equals > 0 ? text[..equals] : null, text[(equals + 1)..]);
        return LayerRename.ProblemOf(name.Name) is { } problem ? throw new FormatException($"'{name.Name}': {problem}") : name;
    }

    /// <summary><c>DISK=none</c>, <c>internal</c>, <c>external[:FILE]</c> or <c>manual</c>.</summary>
    public static DiskRequest Disk(string text)
    {
        var equals = text.LastIndexOf('=', (text + ":").IndexOf(':', StringComparison.Ordinal) - 1);
        var (mode, detail) = Split(text[(equals + 1)..]);
        return (equals > 0, mode) switch
        {
            (true, "none") when detail is null => new DiskRequest(text[..equals], DiskMode.None),
            (true, "internal") when detail is null => new DiskRequest(text[..equals], DiskMode.Internal),
            (true, "external") => new DiskRequest(text[..equals], DiskMode.External, Absolute(detail)),
            (true, "manual") when detail is null => new DiskRequest(text[..equals], DiskMode.Manual),
            _ => throw new FormatException($"'{text}' is not known: write DISK=none, internal, external[:FILE] or manual"),
        };
    }

    /// <summary>
    /// <c>[raw:|qcow2:]FILE</c>. The format is stated or in the name; the file is never asked, it might lie. What has its name in
    /// <c>/dev</c> is a device, and that holds the disk itself.
    /// </summary>
    public static NewDisk Image(string text)
    {
        var (format, file) = text switch
        {
            _ when text.StartsWith("raw:", StringComparison.Ordinal) => (ImageFormat.Raw, text["raw:".Length..]),
            _ when text.StartsWith("qcow2:", StringComparison.Ordinal) => (ImageFormat.Qcow2, text["qcow2:".Length..]),
            _ when text.EndsWith(".raw", StringComparison.OrdinalIgnoreCase) => (ImageFormat.Raw, text),
            _ when text.EndsWith(".qcow2", StringComparison.OrdinalIgnoreCase) => (ImageFormat.Qcow2, text),
            _ when DevicePath.Names(text) => (ImageFormat.Raw, text),
            _ => throw new FormatException($"the format of '{text}' is not in its name: write raw:{text} or qcow2:{text}"),
        };
        return file.Length > 0 ? new NewDisk(Path.GetFullPath(file), format) : throw new FormatException($"a file name is missing in '{text}'");
    }

    /// <summary>How a disk is attached.</summary>
    public static DiskBus Bus(string text) => text switch
    {
        "virtio" => DiskBus.Virtio,
        "scsi" => DiskBus.Scsi,
        "sata" => DiskBus.Sata,
        "ide" => DiskBus.Ide,
        _ => throw new FormatException($"'{text}' is no bus: write virtio, scsi, sata or ide"),
    };

    /// <summary>Which image a merge writes.</summary>
    public static MergeDirection Direction(string text) => text switch
    {
        "commit" => MergeDirection.Commit,
        "stream" => MergeDirection.Stream,
        _ => throw new FormatException($"'{text}' is no way to merge: write commit or stream"),
    };

    /// <summary><c>user</c>, <c>bridge=NAME</c> or <c>tap=NAME</c>; null for <c>none</c>.</summary>
    public static NewNetwork? Network(string text) => text == NoNetwork ? null : NewNetwork.Parse(text);

    /// <summary>Whole seconds.</summary>
    public static TimeSpan Seconds(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : throw new FormatException($"'{text}' is no number of seconds: write a whole number such as 60");

    /// <summary>A time with its unit: <c>90s</c>, <c>30m</c>, <c>12h</c>, <c>7d</c>.</summary>
    public static TimeSpan Duration(string text)
    {
        var unit = text.Length == 0 ? 0 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => 0 };
        return unit > 0 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            ? TimeSpan.FromSeconds((long)count * unit)
            : throw new FormatException($"'{text}' is no time: write a whole number and its unit, such as 7d, 12h, 30m or 90s");
    }

    /// <summary>A count of at least one.</summary>
    public static int Count(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0
            ? count
            : throw new FormatException($"'{text}' is no count: write a whole number of at least 1");

    /// <summary>An argument that is read by one of the above.</summary>
    public static Argument<T?> Argument<T>(string name, string description, Func<string, T> read) => new(name)
    {
        Description = description,
        CustomParser = result => Read(result, read),
    };

    /// <summary>An option whose value is read by one of the above.</summary>
    public static Option<T?> Option<T>(string name, string helpName, string description, Func<string, T> read) => new(name)
    {
        Description = description,
        HelpName = helpName,
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = result => Read(result, read),
    };

    /// <summary>An option that can be given several times.</summary>
    public static Option<T[]> Options<T>(string name, string helpName, string description, Func<string, T?> read) => new(name)
    {
        Description = description,
        HelpName = helpName,
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result => [.. result.Tokens.Select(t => Parse(result, t, read)).OfType<T>()],
    };

    private static T? Read<T>(ArgumentResult result, Func<string, T> read) => Parse(result, result.Tokens[0], read);

    private static T? Parse<T>(ArgumentResult result, Token token, Func<string, T> read)
    {
        try
        {
            return read(token.Value);
        }
        catch (Exception e) when (e is FormatException or CoppiceException)
        {
            result.AddError(Printable.Line(e.Message));
            return default;
        }
    }

    private static (string Mode, string? Detail) Split(string text) =>
        text.IndexOf(':', StringComparison.Ordinal) is var colon and >= 0 ? (text[..colon], text[(colon + 1)..]) : (text, null);

    private static string? Absolute(string? file) => file switch
    {
        null => null,
        "" => throw new FormatException("a file name is missing after 'external:'"),
        _ => Path.GetFullPath(file),
    };
}
