using System.Globalization;
using Xunit;

namespace Coppice.Contracts;

/// <summary>
/// What would take too long whole is sampled, another sample in each run. <c>COPPICE_SEED</c> repeats one,
/// <c>COPPICE_TEST_ALL=1</c> takes everything.
/// </summary>
public static class Sampling
{
    private static readonly int s_seed =
        int.TryParse(Environment.GetEnvironmentVariable("COPPICE_SEED"), CultureInfo.InvariantCulture, out var given)
            ? given
            : System.Random.Shared.Next();

    public static bool Everything => Environment.GetEnvironmentVariable("COPPICE_TEST_ALL") is "1";

    /// <summary>Numbers that the seed decides; the seed goes to the output of the test.</summary>
    public static Random Random()
    {
        TellSeed();
        return new Random(s_seed);
    }

    /// <summary>Tells of things in a row which are taken, one in so many: always the first, and all if everything is.</summary>
    /// <param name="name">What it is about; for another name others are taken.</param>
    /// <param name="count">One in so many.</param>
    public static Func<bool> OneIn(string name, int count)
    {
        TellSeed();
        var random = new Random(name.Aggregate(s_seed, (hash, c) => unchecked((hash * 31) + c)));
        var first = true;
        return () =>
        {
            var taken = Everything || first || random.Next(count) == 0;
            first = false;
            return taken;
        };
    }

    /// <summary>Writes the seed to the output of the test.</summary>
    public static void TellSeed() => TestContext.Current.TestOutputHelper?.WriteLine($"COPPICE_SEED={s_seed}");

    /// <summary>Some of what there is, or all of it.</summary>
    public static IEnumerable<T> Of<T>(IEnumerable<T> all, int count)
    {
        var items = all.ToArray();
        new Random(s_seed).Shuffle(items);
        return Everything ? items : items.Take(count);
    }
}
