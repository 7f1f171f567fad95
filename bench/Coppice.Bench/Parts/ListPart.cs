using Coppice.Bench.Host;
using Coppice.Bench.Results;
using Coppice.Core;

namespace Coppice.Bench.Parts;

/// <summary>Whether many snapshots make commands slow, and how long a command takes to start.</summary>
internal sealed class ListPart(Settings settings, Recorder recorder, CancellationToken cancellation)
{
    public const string Name = "list", Total = "total";
    public const string List = "coppice snapshot list", Tree = "coppice snapshot tree", Create = "snapshot create, library";
    public const string CreateCommand = "coppice snapshot create";
    public const string Version = "coppice --version", ListAll = "coppice list", Virsh = "virsh list --all";
    public const string None = "no domain";

    public async Task RunAsync()
    {
        var catalogs = new List<(int Snapshots, LargeCatalog Catalog)>();
        try
        {
            foreach (var snapshots in settings.IsQuick ? [10, 1_000] : new[] { 10, 1_000, 10_000 })
            {
                Progress.Say($"list, making a catalog of {snapshots}");
                catalogs.Add((snapshots, await LargeCatalog.MakeAsync($"{settings.Work}/c{snapshots}", snapshots, cancellation)));
            }

            Progress.Say("list");
            for (var round = 0; round <= settings.Rounds(10, 3); round++)
            {
                foreach (var (snapshots, catalog) in catalogs)
                {
                    await TakeAsync(catalog, $"{snapshots:N0} snapshots", round);
                }

                Progress.Dot();
            }
        }
        finally
        {
            foreach (var (_, catalog) in catalogs)
            {
                await catalog.DisposeAsync();
            }
        }

        await StartAsync();
    }

    private async Task TakeAsync(LargeCatalog catalog, string size, int round)
    {
        var (list, _) = await CoppiceAsync("snapshot", "list", LargeCatalog.Name);
        var (tree, _) = await CoppiceAsync("snapshot", "tree", LargeCatalog.Name);
        var library = await catalog.CreateAsync($"l{round}", cancellation);
        var (command, _) = await CoppiceAsync("snapshot", "create", LargeCatalog.Name, $"c{round}");

        // Chains stay as long as they were, and so does the catalog.
        await catalog.Home.RunAsync(
            new DeleteSnapshot(LargeCatalog.Name, [$"l{round}", $"c{round}"]) { Wait = true }, new Engine.RunOptions(), cancellation);
        if (round > 0)
        {
            recorder.Add(List, size, "", Total, list);
            recorder.Add(Tree, size, "", Total, tree);
            recorder.Add(Create, size, "", Total, library);
            recorder.Add(CreateCommand, size, "", Total, command);
        }

        Task<(TimeSpan Elapsed, string Output)> CoppiceAsync(params string[] arguments) =>
            HostCommand.RunAsync(settings.Command, ["--home", catalog.HomePath, .. arguments], cancellation);
    }

    private async Task StartAsync()
    {
        Progress.Say("list, start of a command");
        var home = $"{settings.Work}/empty";
        for (var round = 0; round <= settings.Rounds(30, 10); round++)
        {
            var (version, _) = await HostCommand.RunAsync(settings.Command, ["--version"], cancellation);
            var (list, _) = await HostCommand.RunAsync(settings.Command, ["--home", home, "list"], cancellation);
            var (virsh, _) = await HostCommand.RunAsync("virsh", ["list", "--all"], cancellation);
            if (round > 0)
            {
                recorder.Add(Version, None, "", Total, version);
                recorder.Add(ListAll, None, "", Total, list);
                recorder.Add(Virsh, None, "", Total, virsh);
            }
        }
    }
}
