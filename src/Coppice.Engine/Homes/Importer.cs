using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// Makes a new domain of an exported one. Anybody may have written the folder: it is read by name, without following links, and what a
/// plan is made of is what later has to have the checksums.
/// </summary>
internal sealed class Importer(Call call, HomeFolder home, DomainFinder finder)
{
    private IStorage Storage => call.Home.Storage;

    public async Task<OperationResult> RunAsync(ImportDomain request)
    {
        if (!call.Options.PlanOnly)
        {
            DurableFolder.Create(home.Path);
        }

        using var held = await call.LockHomeAsync(home).ConfigureAwait(false);
        var leftovers = call.Options.PlanOnly ? [] : await new Leftovers(call.Home, home).TidyAsync().ConfigureAwait(false);
        finder.RequireAllReadable();
        return await call.TellingAsync(leftovers, () => MakeAsync(request)).ConfigureAwait(false);
    }

    private async Task<OperationResult> MakeAsync(ImportDomain request)
    {
        var observed = await ObserveAsync(request).ConfigureAwait(false);
        var name = Names.Check("domain", request.Name ?? observed.Manifest.Name);
        finder.RequireFree(name, observed.Home, "give it another name here: --name NAME");
        finder.RequireFree($"{observed.Id}", observed.Home, "leave --keep-identity out to import it as another domain");
        if (observed.Place.IsTaken)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, observed.Home.Path, "is a domain already, with the uuid of the exported one",
                "leave --keep-identity out to import it as another domain, or undefine that one");
        }

        var plan = Planner.Plan(request, observed, call.Home.Hypervisor, Storage);
        return call.Options.PlanOnly
            ? Results.Planned(plan, null)
            : await NewDomainFolder.MakeAsync(call, observed.Home, name, plan).ConfigureAwait(false);
    }

    private async Task<ObservedExport> ObserveAsync(ImportDomain request)
    {
        var folder = new ExportFolder(request.Folder);
        var listed = await Storage.ReadPlainAsync(folder.Path, ExportFolder.Sums, ExportManifest.MaximumBytes, call.Cancellation)
            .ConfigureAwait(false);
        var sums = folder.ParseSums(Encoding.UTF8.GetString(listed));
        var text = await ReadAsync(folder, sums, ExportFolder.Manifest, ExportManifest.MaximumBytes).ConfigureAwait(false);
        var manifest = ExportManifest.Parse(text, folder[ExportFolder.Manifest]);
        var id = request.KeepsIdentity ? manifest.Domain : new DomainId(call.Home.Ids.NextGuid());
        var own = home.Domain(id);
        var observed = new ObservedExport
        {
            Folder = folder,
            Manifest = manifest,
            Definitions = await DefinitionsAsync(folder, sums, manifest).ConfigureAwait(false),
            Sums = sums,
            Files = await Storage.ObserveFilesAsync(manifest.Files.Select(f => folder[f]), call.Cancellation).ConfigureAwait(false),
            Id = id,
            Home = own,
            Place = await Storage.ObservePlaceAsync(own.Path, call.Cancellation).ConfigureAwait(false),
            Firmware = call.Home.Hypervisor.FirmwareFiles(),
            Ids = call.Home.Ids,
        };
        observed.Require();
        await CheckImagesAsync(observed).ConfigureAwait(false);
        return observed;
    }

    /// <summary>Sealed here as well: what this hypervisor cannot run is told before anything is copied.</summary>
    private async Task<ImmutableDictionary<ShortId, DomainDefinition>> DefinitionsAsync(
        ExportFolder folder, ImmutableDictionary<string, string> sums, ExportManifest manifest)
    {
        var definitions = ImmutableDictionary.CreateBuilder<ShortId, DomainDefinition>();
        foreach (var id in manifest.Catalog.Definitions)
        {
            var xml = await ReadAsync(folder, sums, ExportFolder.Definition(id), DomainXml.MaximumBytes).ConfigureAwait(false);
            var definition = DomainXml.Parse(Encoding.UTF8.GetString(xml));
            DefinitionRules.CheckSources(definition);
            definitions.Add(id, await call.Home.Hypervisor.SealAsync(definition, call.Cancellation).ConfigureAwait(false));
        }

        return definitions.ToImmutable();
    }

    /// <summary>The copies are checked again, once nobody else can change them; this tells before anything is copied.</summary>
    private async Task CheckImagesAsync(ObservedExport observed)
    {
        var graph = LayerGraph.Of(observed.Manifest.Catalog);
        foreach (var layer in graph.All)
        {
            var chain = graph.Chain(layer.Id).Select(l => l with { Path = observed.Folder[l.Path] }).ToImmutableArray();
            await Storage.CheckAsync(chain, call.Cancellation).ConfigureAwait(false);
        }
    }

    private async Task<byte[]> ReadAsync(ExportFolder folder, ImmutableDictionary<string, string> sums, string name, int maximum)
    {
        var content = await Storage.ReadPlainAsync(folder.Path, name, maximum, call.Cancellation).ConfigureAwait(false);
        return sums.GetValueOrDefault(name) == Convert.ToHexStringLower(SHA256.HashData(content)) ? content : throw new CoppiceException(
            ErrorKind.Damaged, folder[name], "is not what its checksum is of", "copy the folder anew from where it was exported");
    }
}
