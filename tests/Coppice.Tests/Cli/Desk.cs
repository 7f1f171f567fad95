using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Coppice.Cli;
using Coppice.Cli.Drawing;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Tests.Images;

namespace Coppice.Tests.Cli;

/// <summary>What a command printed, and how it ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">Standard output, without what differs from run to run.</param>
/// <param name="Error">Standard error, likewise.</param>
/// <param name="AsPrinted">Standard output, exactly.</param>
internal sealed record Typed(int ExitCode, string Output, string Error, string AsPrinted)
{
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;
}

/// <summary>
/// A place to type commands at: a home of its own, a machine with fake guests, a clock that stands still. Ids are
/// numbered as they are printed, so that what is printed can be compared as it is.
/// </summary>
internal sealed partial class Desk : IDisposable
{
    private readonly string _folder = TempFolder.InMemory().Path;
    private readonly StoppedClock _clock = new();
    private uint _ids;

    public FakeHost Host { get; } = new() { MergesGoOnWhenAsked = true };

    public string Home => $"{_folder}/home";

    public bool IsTerminal { get; set; }

    /// <summary>Where bytes go that are printed.</summary>
    public MemoryStream RawOutput { get; } = new();

    public Dictionary<string, string?> Variables { get; } = new() { ["HOME"] = "/nowhere", ["COPPICE_CHECKSUMS"] = "off" };

    /// <summary>What was started in processes of their own; nothing really is.</summary>
    public List<IReadOnlyList<string>> StartedAside { get; } = [];

    /// <summary>What the drivers do before they are there.</summary>
    public Action Opening { get; set; } = () => { };

    public string File(string name, string content)
    {
        var path = $"{_folder}/{name}";
        System.IO.File.WriteAllText(path, content);
        return path;
    }

    public string File(string name, byte[] content)
    {
        var path = $"{_folder}/{name}";
        System.IO.File.WriteAllBytes(path, content);
        return path;
    }

    public void AddImage(string path) => Host.Act("bring image", s => s with
    {
        Images = s.Images.SetItem(path, FakeImage.Empty(ImageFormat.Qcow2, backing: null, new ByteCount(1L << 30))),
    });

    /// <summary>What a command printed line by line, with blanks between.</summary>
    public async Task<string> NamesAsync(string line)
    {
        var typed = await TypeAsync(line.Split(' '));
        Succeeded(typed);
        return string.Join(' ', typed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => l != "no snapshots"));
    }

    /// <summary>A domain with one disk, off.</summary>
    public async Task DefineAsync(string name = "web", string devices = "")
    {
        var image = $"{_folder}/{name}.qcow2";
        AddImage(image);
        var xml = $"""
            <domain type='qemu'><name>{name}</name><memory unit='MiB'>256</memory><os><type>hvm</type></os><devices>
            <disk type='file' device='disk' snapshot='external'><driver name='qemu' type='qcow2'/><source file='{image}'/><target dev='vda' bus='virtio'/></disk>
            {devices}</devices></domain>
            """;
        Succeeded(await TypeAsync("define", File($"{name}.xml", xml)));
    }

    /// <summary>A running domain.</summary>
    public async Task StartAsync(string name = "web")
    {
        await DefineAsync(name);
        Succeeded(await TypeAsync("start", name));
    }

    /// <summary>Types commands that have to succeed, one minute apart.</summary>
    public async Task DoAsync(params string[] lines)
    {
        foreach (var line in lines)
        {
            Host.Tick();
            Pass(TimeSpan.FromMinutes(1));
            Succeeded(await TypeAsync(line.Split(' ')));
        }
    }

    public void Pass(TimeSpan time) => _clock.Now += time;

    public Task<Typed> TypeAsync(params string[] args) => TypeAsync("", args);

    public async Task<Typed> TypeAsync(string input, string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        using var typed = new MemoryStream(Encoding.UTF8.GetBytes(input));
        var exitCode = await CommandLine.RunAsync(args, Around(output) with { Error = error, Input = () => typed });
        return new Typed(exitCode, Tidy(output.ToString()), Tidy(error.ToString()), output.ToString());
    }

    public void Draw(Sheet sheet, TextWriter output) => sheet.Draw(Around(output));

    public static void Succeeded(Typed typed) => Assert.True(typed.ExitCode == 0, typed.Error + typed.Output);

    public void Dispose()
    {
        RawOutput.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private Surroundings Around(TextWriter output) => new()
    {
        Output = output,
        Error = TextWriter.Null,
        RawOutput = RawOutput,
        Input = () => Stream.Null,
        InputIsTerminal = IsTerminal,
        OutputIsTerminal = IsTerminal,
        ErrorIsTerminal = IsTerminal,
        Variable = name => name == "COPPICE_HOME" ? Home : Variables.GetValueOrDefault(name),
        Time = _clock,
        Ids = new IdSource(Count),
        StartAside = StartedAside.Add,
        Drivers = (_, _) =>
        {
            Opening();
            return new Drivers(new FakeHypervisor(Host), new FakeStorage(Host));
        },
    };

    [GeneratedRegex("""("elapsedMs": )[0-9.E-]+""")]
    private static partial Regex Elapsed();

    [GeneratedRegex(@"(?m)^  [0-9.]+ m?s;")]
    private static partial Regex Took();

    [GeneratedRegex(@"\b0000[0-9a-f]{4}(-0000-4000-8000-000000000000)?\b")]
    private static partial Regex Id();

    // Paths and measured times differ from run to run, and how many ids something takes is nobody's business.
    private string Tidy(string text)
    {
        var seen = new List<string>();
        var numbered = Id().Replace(text.Replace(_folder, "FOLDER", StringComparison.Ordinal), match =>
        {
            if (!seen.Contains(match.Value))
            {
                seen.Add(match.Value);
            }

            return $"id-{seen.IndexOf(match.Value) + 1:00000}";
        });
        return Took().Replace(Elapsed().Replace(numbered, "${1}0"), "  0 ms;");
    }

    private void Count(Span<byte> bytes)
    {
        Span<byte> count = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(count, ++_ids);
        bytes.Clear();
        count[..Math.Min(count.Length, bytes.Length)].CopyTo(bytes);
    }

    private sealed class StoppedClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
