using Coppice.Core;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>The folder of a domain that was undefined goes piece by piece, and at no point what is left is a damaged domain.</summary>
public sealed class RemovalTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose()
    {
        FileActs.Observer = null;
        _world.Dispose();
    }

    [Fact]
    public async Task Wherever_the_removal_of_a_folder_ends_the_next_look_goes_on_with_it()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("one");
        await _world.Open().TakeChecksumsAsync(World.Name, TestContext.Current.CancellationToken);
        var (disk, host) = (DiskImage.Read(_world.Path1), _world.Host.State);
        var pieces = new HashSet<string>(StringComparer.Ordinal);
        for (var (at, met) = (0, true); met; at++)
        {
            disk.WriteTo(_world.Path1);
            _world.Host.State = host;
            var count = 0;
            FileActs.Observer = (act, path) =>
            {
                if (act is FileAct.Remove && path.StartsWith(_world.Domain.Path, StringComparison.Ordinal) && count++ >= at)
                {
                    pieces.Add(path);
                    throw FileException.Of(path, Errno.NoSpace);
                }
            };
            await Record.ExceptionAsync(() => _world.RunAsync(new UndefineDomain(World.Name, Snapshots: true)));
            FileActs.Observer = null;
            met = count > at;
            Assert.True(!HasFiles() || File.Exists(_world.Domain.ForgottenRoot), $"point {at}");
            var list = await _world.Open().ListAsync(TestContext.Current.CancellationToken);
            Assert.Empty(list.Broken);
            Assert.False(Directory.Exists(_world.Domain.Path), $"point {at}");
        }

        Assert.Contains(_world.Domain.Checksums, pieces);
        Assert.Contains(_world.Domain.CatalogRecords, pieces);
    }

    private bool HasFiles() => Directory.Exists(_world.Domain.Path)
        && Directory.EnumerateFiles(_world.Domain.Path, "*", SearchOption.AllDirectories).Any();
}
