using Coppice.Bench.Host;
using Coppice.Bench.Pages;
using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench;

/// <summary>Measures the parts that were asked for, one after another, and writes the page from what is known of all.</summary>
internal sealed class Run(Settings settings, CancellationToken cancellation)
{
    private IReadOnlyList<(string Name, Func<Recorder, Task> RunAsync)> Parts =>
    [
        (PausePart.Name, r => new PausePart(settings, r, cancellation).RunAsync()),
        (AgePart.Name, r => new AgePart(settings, r, cancellation).RunAsync()),
        (RevertPart.Name, r => new RevertPart(settings, r, cancellation).RunAsync()),
        (ForkPart.Name, r => new ForkPart(settings, r, cancellation).RunAsync()),
        (BytesPart.Name, r => new BytesPart(settings, r, cancellation).RunAsync()),
        (ListPart.Name, r => new ListPart(settings, r, cancellation).RunAsync()),
        (VirshPart.Name, r => new VirshPart(settings, r, cancellation).RunAsync()),
    ];

    /// <exception cref="ArgumentException">There is no such part.</exception>
    public async Task RunAsync()
    {
        if (settings.Parts.FirstOrDefault(p => Parts.All(k => k.Name != p)) is { } unknown)
        {
            throw new ArgumentException($"there is no part '{unknown}'; there are {string.Join(", ", Parts.Select(p => p.Name))}");
        }

        var machine = await Machine.DescribeAsync(settings, cancellation);
        foreach (var (name, runAsync) in Parts.Where(p => settings.Parts.Count == 0 || settings.Parts.Contains(p.Name)))
        {
            var recorder = new Recorder();
            var start = TimeProvider.System.GetUtcNow();
            await runAsync(recorder);
            var measured = new PartResult(name, start, settings.IsQuick, machine, recorder.Notes, recorder.Series);
            var known = settings.Sizes.Count > 0 ? PartResult.Read(settings.Results, name) : null;
            measured.WithSizesOf(known).Write(settings.Results);
            Progress.Say($"{name} took {(TimeProvider.System.GetUtcNow() - start).TotalMinutes:0.0} min");

            // At once, so that what was measured is there if a later part fails.
            PerformancePage.Write(settings.Docs, [.. Parts.Select(p => PartResult.Read(settings.Results, p.Name)).OfType<PartResult>()]);
        }

        Console.Error.WriteLine();
    }
}
