using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Tests.Engine;

namespace Coppice.Tests.Trees;

/// <summary>
/// One random life of the domains of a home. What every snapshot and tip holds is known from when it was made; after each
/// operation, and after each write, everything is read again. Operations go through two homes that stay open, in turns: what each
/// of them knows of a catalog has to be what is stored, whoever wrote it.
/// </summary>
internal sealed class Life(Orchard orchard)
{
    private readonly List<string> _story = [];
    private readonly ImmutableArray<Home> _homes = [orchard.Open(), orchard.Open()];
    private ImmutableArray<Sight> _seen = [];

    /// <summary>The operations that were carried out, by name; the others were refused.</summary>
    public List<string> Done { get; } = [];

    /// <summary>Makes an operation of each number.</summary>
    public async Task RunAsync(IEnumerable<int> numbers)
    {
        _seen = await orchard.LookAsync();
        foreach (var number in numbers.TakeWhile(_ => !_seen.IsEmpty))
        {
            await StepAsync(new Random(number));
        }
    }

    private async Task StepAsync(Random random)
    {
        var before = _seen;
        var scene = new Scene(orchard, before, before[random.Next(before.Length)]);
        var deed = Deed.Pick(random, scene);
        var request = await deed.AskAsync(new Draw(random, scene));
        _story.Add($"{deed.Name}: {request}");
        try
        {
            var refusal = await TryAsync(deed, request);
            _story[^1] += $": {refusal?.Message ?? "done"}";
            await CompareAsync(scene, deed, request, refusal);
            await WriteAsync(random);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{string.Join("\n", _story)}\n{e.Message}", e);
        }
    }

    /// <summary>One acts three times as often as the other, so that both follow themselves and each other.</summary>
    private Home Acting => _homes[_story.Count % 4 == 0 ? 1 : 0];

    private async Task<CoppiceException?> TryAsync(Deed deed, Request request)
    {
        try
        {
            await Acting.RunAsync(request, new RunOptions());
            Done.Add(deed.Name);
            return null;
        }
        catch (CoppiceException e) when (e.Kind is not (ErrorKind.Internal or ErrorKind.Damaged))
        {
            return e;
        }
    }

    private async Task CompareAsync(Scene scene, Deed deed, Request request, CoppiceException? refusal)
    {
        var after = await orchard.LookAsync();
        orchard.CheckFiles(after, deed);
        var known = await Acting.ListAsync();
        Assert.Equal(after.Select(s => CatalogText.Of(s.Catalog)).Order(StringComparer.Ordinal), known.Domains.Select(d => CatalogText.Of(d.Catalog)).Order(StringComparer.Ordinal));
        TreeRules.Check(scene, after, deed, request, refusal is null);
        _seen = after;
    }

    /// <summary>What is written goes to heads, and to nothing else.</summary>
    private async Task WriteAsync(Random random)
    {
        var before = _seen;
        await orchard.WriteAsync(random, before);
        _seen = await orchard.LookAsync();
        foreach (var (old, now) in before.Zip(_seen))
        {
            TreeRules.CheckKept(old, now);
        }
    }
}
