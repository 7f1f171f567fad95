using System.Diagnostics;
using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>What must hold after a crash or a failure, whatever it was.</summary>
internal static class Aftermath
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>
    /// The guest runs again with nobody's help: no command is run, and Coppice is not asked. Its heart is heard on the socket
    /// of whichever process answers.
    /// </summary>
    /// <returns>How long it took to hear it; no more than a hint, as the host is busy with other tests.</returns>
    public static async Task<TimeSpan> RunsByItselfAsync(LiveDomain domain, string moment)
    {
        var begin = TimeProvider.System.GetTimestamp();
        await using var witness = await domain.FindRunningAsync();
        var first = (await witness.StatusAsync()).Counter;
        await UntilAsync(async () => (await witness.StatusAsync()).Counter > first, $"{moment}: the heart does not beat");
        return TimeProvider.System.GetElapsedTime(begin);
    }

    /// <summary>Any command recovers what a crash left; this one changes nothing.</summary>
    public static async Task TouchAsync(LiveDomain domain, string snapshot = "base")
    {
        domain.Reopen();
        await domain.RunAsync(new SetCurrentSnapshot(LiveDomain.Name, snapshot));
        var folder = (await domain.ShowAsync()).Folder;
        Assert.Empty(Directory.Exists(folder.Journals) ? Directory.EnumerateFiles(folder.Journals) : []);
    }

    /// <summary>The tree is the old or the new one, and every file belongs to it.</summary>
    public static async Task<Catalog> VerifyTreeAsync(LiveDomain domain, Catalog before, string moment)
    {
        var view = await domain.ShowAsync();
        var lost = before.Snapshots.Keys.Except(view.Catalog.Snapshots.Keys);
        Assert.True(!lost.Any(), $"{moment}: a snapshot was lost");
        Assert.InRange(view.Catalog.Snapshots.Count, before.Snapshots.Count, before.Snapshots.Count + 1);
        var known = LayerGraph.Of(view.Catalog).All.Select(l => l.Path)
            .Concat(view.Catalog.Snapshots.Values.Select(s => s.Memory.File).OfType<string>())
            .Concat(view.Catalog.Tips.Select(t => t.Memory.File).OfType<string>());
        var present = Directory.EnumerateFiles(view.Folder.Path, "*", SearchOption.AllDirectories)
            .Where(f => f.Contains("/images/", StringComparison.Ordinal) || f.Contains("/memory/", StringComparison.Ordinal));
        Assert.Equal([], present.Except(known));
        Assert.Equal([], known.Where(f => !File.Exists(f)));
        VerifyInternals(view.Catalog, moment);
        return view.Catalog;
    }

    /// <summary>Every internal snapshot in an image belongs to the tree, and the other way round.</summary>
    private static void VerifyInternals(Catalog catalog, string moment)
    {
        var graph = LayerGraph.Of(catalog);
        foreach (var file in graph.All.Where(l => l is { Inside: null, Format: ImageFormat.Qcow2 }))
        {
            using var image = Coppice.Images.Qcow2Image.Open(file.Path);
            var known = graph.All.Where(l => l.Inside?.Holder == file.Id).Select(l => l.Inside!.Tag).Order(StringComparer.Ordinal);
            var there = image.ReadSnapshots().Select(s => s.Name).Order(StringComparer.Ordinal);
            Assert.True(known.SequenceEqual(there), $"{moment}: {file.Path} holds {string.Join(", ", there)}");
        }
    }

    /// <summary>Counts the images that qemu-img finds broken; those that a guest writes to are not consistent at any instant.</summary>
    public static async Task<int> CountBrokenImagesAsync(LiveDomain domain)
    {
        var failures = 0;
        var view = await domain.ShowAsync();
        var written = view.Hypervisor.ActiveImages.Values.ToHashSet(StringComparer.Ordinal);
        var images = LayerGraph.Of(view.Catalog).All.Where(l => l.Format is ImageFormat.Qcow2).DistinctBy(l => l.Path);
        foreach (var layer in images.Where(l => !written.Contains(l.Path)))
        {
            failures += await IsBrokenAsync(layer.Path) ? 1 : 0;
        }

        return failures;
    }

    /// <summary>Whether qemu-img finds a qcow2 image broken.</summary>
    public static async Task<bool> IsBrokenAsync(string path)
    {
        using var check = Process.Start(new ProcessStartInfo("qemu-img", ["check", "-q", "-U", "-f", "qcow2", path]))!;
        await check.WaitForExitAsync(TestContext.Current.CancellationToken);
        return check.ExitCode is not (0 or 3); // 3: leaked clusters, which a killed QEMU may leave
    }

    public static async Task UntilAsync(Func<Task<bool>> condition, string otherwise)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(begin) < s_patience, otherwise);
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }
}
