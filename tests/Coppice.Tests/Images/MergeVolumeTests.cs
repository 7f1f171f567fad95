using Coppice.Images;

namespace Coppice.Tests.Images;

/// <summary>Which of two images is the cheaper one to write (R200).</summary>
public sealed class MergeVolumeTests : IDisposable
{
    private const int Clusters = 16;
    private readonly TempFolder _folder = TempFolder.InMemory();
    private int _files;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_commit_writes_what_the_upper_image_has_and_a_stream_what_it_says_nothing_about()
    {
        // Stored, zero, compressed, nothing; one column a cluster.
        Assert.Equal(new MergeVolume(3 * 512, 2 * 512), Measure(lower: "##.#.##0c", upper: "##.0c.0.."));
        Assert.Equal(new MergeVolume(0, 0), Measure(lower: "", upper: ""));
        Assert.Equal(new MergeVolume(0, 0), Measure(lower: "0000", upper: "0"));
        Assert.Equal(new MergeVolume(Clusters * 512, 0), Measure(lower: new string('#', Clusters), upper: new string('#', Clusters)));
    }

    [Fact]
    public void Any_two_images_cost_what_counting_their_clusters_one_by_one_gives()
    {
        var random = new Random(200);
        for (var round = 0; round < 300; round++)
        {
            string[] images = [Any(random), Any(random)];
            var columns = images[0].Zip(images[1]);
            var commit = columns.Count(c => c.Second is '#' or 'c');
            var stream = columns.Count(c => c is (First: '#' or 'c', Second: '.'));
            Assert.True(new MergeVolume(commit * 512, stream * 512) == Measure(images[0], images[1]), $"{images[0]} below {images[1]}");
        }
    }

    [Fact]
    public void A_part_of_a_cluster_costs_the_whole_one_where_it_has_to_be_allocated()
    {
        // Upper clusters of 512 bytes in lower ones of 1024: 0 is there, 1 is not, 2 gets both halves at once.
        var (lower, upper) = (Write("#..", clusterBits: 10), Write(".#.#" + "##"));
        Assert.Equal(512 + 1024 + 1024, MergeVolume.Of(Qcow2(lower), Qcow2(upper), Cancel).CommitBytes);
        Assert.Equal(1024, MergeVolume.Of(Qcow2(Write(".#..")), Qcow2(Write("...", clusterBits: 10)), Cancel).StreamBytes);
    }

    [Fact]
    public void Holes_of_a_raw_image_cost_nothing()
    {
        const int part = 256 << 10;
        var raw = _folder.File("sparse.raw");
        using (var file = File.OpenHandle(raw, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.SetLength(file, 16 * part);
            RandomAccess.Write(file, new byte[part], 4 * part);
        }

        var lower = new RecordedLayer(raw, ImageFormat.Raw);
        Assert.Equal(new MergeVolume(512, part), MergeVolume.Of(lower, Qcow2(Write("#")), Cancel));
        using (var file = File.OpenHandle(raw, FileMode.Open, FileAccess.Write))
        {
            RandomAccess.SetLength(file, 0);
        }

        Assert.Equal(new MergeVolume(512, 0), MergeVolume.Of(lower, Qcow2(Write("#")), Cancel));
    }

    [Fact]
    public void A_broken_image_is_refused_whichever_of_the_two_it_is()
    {
        Qcow2Bytes bytes = new();
        bytes.U64(bytes.L1At, 8UL << 30);
        var broken = Qcow2(Write(bytes));
        Assert.Equal(ImageFault.Malformed, Assert.Throws<ImageException>(() => MergeVolume.Of(broken, Qcow2(Write("#")), Cancel)).Fault);
        Assert.Equal(ImageFault.Malformed, Assert.Throws<ImageException>(() => MergeVolume.Of(Qcow2(Write("#")), broken, Cancel)).Fault);
    }

    private static string Any(Random random) => new(random.GetItems<char>(".#0c", Clusters));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static RecordedLayer Qcow2(string path) => new(path, ImageFormat.Qcow2);

    private MergeVolume Measure(string lower, string upper) => MergeVolume.Of(Qcow2(Write(lower)), Qcow2(Write(upper)), Cancel);

    private string Write(string clusters, int clusterBits = 9)
    {
        Qcow2Bytes bytes = new(clusterBits);
        return Write(bytes.Entries([.. clusters.Select(c => c switch
        {
            '#' => bytes.DataAt | (1UL << 63),
            '0' => 1UL,
            'c' => (1UL << 62) | (bytes.DataAt + 3),
            _ => 0UL,
        })]));
    }

    private string Write(Qcow2Bytes bytes)
    {
        _files++;
        return _folder.Write($"{_files}.qcow2", bytes.Content);
    }
}
