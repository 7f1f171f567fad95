using Coppice.Images;
using FsCheck;
using FsCheck.Fluent;

namespace Coppice.Tests.Images;

/// <summary>Whatever is done to a valid image, the reader answers or refuses: it never crashes, hangs or gorges.</summary>
public sealed class MutationTests : IDisposable
{
    private const int MaxAllocatedBytes = 4 << 20;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private sealed record Mutation(int At, int Width, ulong Value);

    private static readonly ulong[] Extremes =
    [
        0, 1, 2, 3, 7, 8, 9, 21, 22, 72, 104, 112, 255, 511, 512, 513, 1024, 1536, 2048, 2560, 3072, 65535, 65536, 131072,
        int.MaxValue, 1UL << 31, uint.MaxValue, 1UL << 32, 1UL << 40, (1UL << 56) - 1, 1UL << 62, long.MaxValue, 1UL << 63, ulong.MaxValue,
    ];

    // All fields of the header, the extensions and the name; the first entries of L1, snapshot and L2 table.
    private static readonly int[] Regions = [0, 0, 0, 104, 256, 1024, 1536, 1536, 2048];

    private static readonly Gen<Mutation> Mutations =
        from region in Gen.Elements(Regions)
        from word in Gen.Choose(0, 28)
        from shift in Gen.Frequency((4, Gen.Constant(0)), (1, Gen.Choose(0, 3)))
        from width in Gen.Elements(1, 4, 8)
        from value in Gen.Frequency((3, Gen.Elements(Extremes)), (1, ArbMap.Default.GeneratorFor<ulong>()))
        select new Mutation(region + (word * 4) + shift, width, value);

    private static readonly Gen<(Mutation[] Mutations, int Length)> Cases =
        from count in Gen.Choose(1, 4)
        from mutations in Mutations.ArrayOf(count)
        from length in Gen.Frequency((3, Gen.Constant(3072)), (1, Gen.Choose(0, 3072)))
        select (mutations, length);

    [Fact]
    public Task No_mutation_makes_the_reader_do_anything_but_answer_or_refuse() => CheckAsync(5000, AnswersOrRefuses);

    [Fact]
    public Task No_mutation_makes_discovery_do_anything_but_answer_or_refuse() => CheckAsync(300, ChainAnswersOrRefuses);

    [Fact]
    public void Every_truncation_answers_or_refuses()
    {
        for (var length = 0; length <= 3072; length++)
        {
            Assert.True(AnswersOrRefuses(Apply([], length)), $"truncated to {length}");
        }
    }

    [Fact]
    public void Every_single_byte_of_the_header_may_have_any_value()
    {
        foreach (var at in Enumerable.Range(0, 128))
        {
            for (var value = 0; value < 256; value += 15)
            {
                Assert.True(AnswersOrRefuses(Apply([new Mutation(at, 1, (ulong)value)], 3072)), $"byte {at} = {value}");
            }
        }
    }

    private static Task CheckAsync(int cases, Func<byte[], bool> holds)
    {
        var property = Prop.ForAll(Cases.ToArbitrary(), mutated => holds(Apply(mutated.Mutations, mutated.Length)));
        var cancel = TestContext.Current.CancellationToken;
        return Task.Run(() => property.Check(Config.QuickThrowOnFailure.WithMaxTest(cases)), cancel)
            .WaitAsync(TimeSpan.FromSeconds(60), cancel);
    }

    private static bool AnswersOrRefuses(byte[] content) => StaysSmall(() =>
    {
        using var image = Qcow2Image.Open(new MemoryStream(content, writable: false), "image.qcow2");
        _ = image.Header.DescribeFeatures();
        Refusable(() => image.ReadSnapshots());
        Refusable(() => image.MeasureAllocation(CancellationToken.None));
    });

    private bool ChainAnswersOrRefuses(byte[] content)
    {
        RecordedLayer top = new(_folder.Write("image.qcow2", content), ImageFormat.Qcow2);
        return StaysSmall(() => ImageChain.Discover(top, new AllowedFolders(_folder.Path)));
    }

    private static bool StaysSmall(Action act)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refusable(act);
        return GC.GetAllocatedBytesForCurrentThread() - before < MaxAllocatedBytes;
    }

    /// <summary>A refusal is an answer; every other exception fails the property.</summary>
    private static void Refusable(Action act)
    {
        try
        {
            act();
        }
        catch (ImageException)
        {
        }
    }

    private static byte[] Apply(Mutation[] mutations, int length)
    {
        var image = Qcow2Bytes.Overlay("base.qcow2").Snapshot("1", "snapshot");
        image.Extension(120, 0x6803f857, new string('\0', 48)).Entries(image.DataAt, 0, 1, (1UL << 62) | image.DataAt);
        foreach (var mutation in mutations)
        {
            if (mutation.Width == 1)
            {
                image.Content[mutation.At] = (byte)mutation.Value;
            }
            else if (mutation.Width == 4)
            {
                image.U32(mutation.At, (uint)mutation.Value);
            }
            else
            {
                image.U64(mutation.At, mutation.Value);
            }
        }

        return image.Truncate(length).Content;
    }
}
