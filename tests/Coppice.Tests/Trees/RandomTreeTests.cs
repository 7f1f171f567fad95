using Coppice.Contracts;
using Coppice.Core;
using Coppice.Tests.Images;
using FsCheck;
using FsCheck.Fluent;

namespace Coppice.Tests.Trees;

/// <summary>
/// Random lives of domains: after each operation the content of every snapshot, tip and head of every domain is what it must be.
/// A life that fails is cut down to the operations that it takes; <c>COPPICE_SEED</c> repeats it.
/// </summary>
public sealed class RandomTreeTests(ITestOutputHelper output)
{
    [Fact]
    public void Whatever_is_done_nothing_that_can_be_returned_to_ever_changes()
    {
        var homes = 0;
        Check(few: (2, 40), all: (150, 60), () => FakeOrchard.PlantAsync(hasVolume: homes++ % 2 == 0));
    }

    [Fact]
    public void Whatever_is_done_to_real_images_nothing_that_can_be_returned_to_ever_changes()
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        using var folder = TempFolder.InMemory();
        var homes = 0;
        Check(few: (1, 12), all: (60, 60), () => ImageOrchard.PlantAsync(folder.Folder($"{++homes}")));
    }

    [Fact]
    public async Task Every_request_that_there_is_is_drawn()
    {
        using var orchard = await FakeOrchard.PlantAsync();
        var home = await orchard.LookAsync();
        var scene = new Scene(orchard, home, home[0]);
        var drawn = Deed.All.Select(d => d.Ask(new Draw(new Random(1), scene)).GetType().Name).Distinct();
        var all = typeof(Request).Assembly.GetTypes().Where(t => t is { IsAbstract: false } && t.IsSubclassOf(typeof(Request)));

        // What goes elsewhere leaves the tree as it is: CarriedTreeTests compares both ends. No life begins on a chain of others, which
        // ChainAdoptionTests makes.
        string[] elsewhere = [nameof(ExportDomain), nameof(ImportDomain), nameof(AdoptChain)];
        Assert.Equal(all.Select(t => t.Name).Order(StringComparer.Ordinal), drawn.Concat(elsewhere).Order(StringComparer.Ordinal));
    }

    private void Check<T>((int Lives, int Operations) few, (int Lives, int Operations) all, Func<Task<T>> plant)
        where T : Orchard
    {
        var (done, tried) = (new List<string>(), 0);
        var (lives, operations) = Sampling.Everything ? all : few;
        var numbers = Gen.Choose(0, int.MaxValue - 1).ArrayOf(operations);
        var config = Config.QuickThrowOnFailure.WithMaxTest(lives)
            .WithReplay((ulong)Sampling.Random().Next(), 1);
        Prop.ForAll(Arb.From(numbers, Shorter), n => LiveAsync(n).GetAwaiter().GetResult()).Check(config);
        output.WriteLine($"{done.Count} operations, {tried - done.Count} more were refused");
        var counts = done.CountBy(name => name).OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal);
        output.WriteLine(string.Join(", ", counts.Select(c => $"{c.Key} {c.Value}")));

        async Task LiveAsync(int[] numbersOfLife)
        {
            using var orchard = await plant();
            var life = new Life(orchard);
            await life.RunAsync(numbersOfLife);
            done.AddRange(life.Done);
            tried += numbersOfLife.Length;
        }
    }

    /// <summary>Without one half, one quarter and so on, down to single operations.</summary>
    private static IEnumerable<int[]> Shorter(int[] numbers)
    {
        for (var size = numbers.Length / 2; size > 0; size /= 2)
        {
            for (var at = 0; at + size <= numbers.Length; at += size)
            {
                yield return [.. numbers[..at], .. numbers[(at + size)..]];
            }
        }
    }
}
