using System.Text;
using Coppice.Core;
using Coppice.Files;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Cli;

/// <summary>What runs domains and what holds their disks.</summary>
internal sealed record Drivers(IHypervisor Hypervisor, IStorage Storage);

/// <summary>What a command was called in: streams, environment, clock, and the drivers. Tests bring their own.</summary>
internal sealed record Surroundings
{
    public required TextWriter Output { get; init; }

    public required TextWriter Error { get; init; }

    /// <summary>Standard output as bytes, for a console.</summary>
    public required Stream RawOutput { get; init; }

    /// <summary>Standard input as bytes. Only what reads it opens it: it may be closed.</summary>
    public required Func<Stream> Input { get; init; }

    public bool InputIsTerminal { get; init; }

    public bool OutputIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    /// <summary>The value of an environment variable; null if it is unset or empty.</summary>
    public required Func<string, string?> Variable { get; init; }

    public required TimeProvider Time { get; init; }

    /// <summary>Where new ids come from.</summary>
    public required IdSource Ids { get; init; }

    /// <summary>
    /// Starts this command with other arguments in a process of its own, which nobody waits for; null if there is no such thing.
    /// </summary>
    public Action<IReadOnlyList<string>>? StartAside { get; init; }

    /// <summary>The drivers that run the domains of a home. Making them probes nothing.</summary>
    public required Func<HomeFolder, TimeProvider, Drivers> Drivers { get; init; }

    /// <summary>Colours and other escape sequences are welcome.</summary>
    public bool HasColour => OutputIsTerminal && Variable("NO_COLOR") is null && Variable("TERM") is not (null or "dumb");

    /// <summary>Those of this process. The class Console is left alone as far as possible: it is slow to start.</summary>
    public static Surroundings OfProcess()
    {
        var outputIsTerminal = !Console.IsOutputRedirected;
        var output = Console.OpenStandardOutput();
        return new Surroundings
        {
            Output = Writer(output),
            RawOutput = output,
            Error = Writer(Console.OpenStandardError()),
            Input = OpenInput,
            InputIsTerminal = !Console.IsInputRedirected,
            OutputIsTerminal = outputIsTerminal,
            ErrorIsTerminal = !Console.IsErrorRedirected,
            Variable = name => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null,
            Time = TimeProvider.System,
            Ids = new IdSource(RandomBytes.Fill),
            Drivers = Composition.Drivers,
            StartAside = AsideProcess.Start,
        };
    }

    // The stream of the class Console would edit lines on a terminal, and change how the terminal is set.
    private static FileStream OpenInput() => new(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);

    private static StreamWriter Writer(Stream stream) =>
        new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = false };
}
