using System.Security.Cryptography;
using Coppice.Bench.Guests;
using Coppice.Bench.Host;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Tree;

namespace Coppice.Bench.Parts;

/// <summary>
/// A domain that is off, with many snapshots. A few are taken; the others are branches of these, written to the catalog as an
/// operation would have written them, but all in one revision. The disks are the same whatever the number, so that only that differs.
/// </summary>
internal sealed class LargeCatalog : IAsyncDisposable
{
    public const string Name = "many";
    private const int Taken = 4, MostDepth = 64;

    private LargeCatalog(string path)
    {
        HomePath = path;
        Home = LiveDomain.Open(path);
    }

    public string HomePath { get; }

    public Home Home { get; }

    /// <param name="path">The home to make.</param>
    /// <param name="snapshots">How many it is to have.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task<LargeCatalog> MakeAsync(string path, int snapshots, CancellationToken cancellation)
    {
        var made = new LargeCatalog(path);
        try
        {
            await made.FillAsync(snapshots, cancellation);
            return made;
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    public async Task<TimeSpan> CreateAsync(string name, CancellationToken cancellation) =>
        (await Home.RunAsync(new CreateSnapshot(Name) { Name = name }, new RunOptions(), cancellation)).Elapsed;

    public ValueTask DisposeAsync()
    {
        Directory.Delete(HomePath, recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task FillAsync(int snapshots, CancellationToken cancellation)
    {
        Directory.CreateDirectory($"{HomePath}/d");
        string[] disks = [$"{HomePath}/d/vda.qcow2", $"{HomePath}/d/vdb.qcow2"];
        foreach (var disk in disks)
        {
            await HostCommand.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", disk, "64M"], cancellation);
        }

        var ids = new IdSource(RandomNumberGenerator.Fill);
        var definition = DomainXml.Parse(GuestXml.Write(Name, GuestSize.Small, disks), ids);
        await Home.RunAsync(new DefineDomain(definition), new RunOptions(), cancellation);
        for (var i = 0; i < Taken; i++)
        {
            await CreateAsync($"taken-{i}", cancellation);
        }

        await AddBranchesAsync(snapshots - Taken, ids, cancellation);
        var count = (await Home.ShowAsync(Name, cancellation)).Catalog.Snapshots.Count;
        if (count != snapshots)
        {
            throw new InvalidOperationException($"the catalog has {count} snapshots, not {snapshots}");
        }
    }

    private async Task AddBranchesAsync(int count, IdSource ids, CancellationToken cancellation)
    {
        var view = await Home.ShowAsync(Name, cancellation);
        var nodes = view.Catalog.Snapshots.Values.OrderBy(s => s.CreatedAt).Select((s, i) => (Snapshot: s, Depth: i + 1)).ToList();
        var random = new Random(1);
        for (var i = 0; i < count; i++)
        {
            var (source, depth) = nodes[random.Next(nodes.Count)];
            (source, depth) = depth < MostDepth ? (source, depth) : nodes[0];
            nodes.Add((source with
            {
                Id = ids.NextSnapshot(),
                Name = $"branch-{i}",
                CreatedAt = source.CreatedAt.AddSeconds(i + 1),
                Parent = source.Id,
                Layers = [],
            }, depth + 1));
        }

        var store = new CatalogStore(view.Folder);
        var change = new CatalogChange
        {
            Head = view.Catalog.Head,
            Current = view.Catalog.Current,
            Put = [.. nodes.Skip(Taken).Select(n => n.Snapshot)],
        };
        await store.CommitAsync(await store.StageAsync(change, new LastOperation(ids.NextShort(), OperationEnd.Committed)));
    }
}
