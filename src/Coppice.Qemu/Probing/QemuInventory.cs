using System.Collections.Immutable;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Probing;

/// <summary>What a QEMU program is and has, as it says itself.</summary>
/// <param name="Version">Its version.</param>
/// <param name="Commands">The commands of its monitor.</param>
/// <param name="Machines">Its machine types; aliases lead to the versioned name, a versioned name to itself.</param>
/// <param name="DefaultMachine">The one it takes if none is named, versioned.</param>
/// <param name="CpuModels">Its CPU models.</param>
/// <param name="RamFile">The properties of RAM that is a file.</param>
/// <param name="WritesInBackground">A guest can run on while its RAM is written; this takes a kernel that watches pages for whoever runs it.</param>
internal sealed record QemuInventory(
    string Version, ImmutableHashSet<string> Commands, ImmutableDictionary<string, string> Machines, string DefaultMachine,
    ImmutableHashSet<string> CpuModels, ImmutableHashSet<string> RamFile, bool WritesInBackground)
{
    /// <summary>Asks a program, by starting it without any machine.</summary>
    /// <exception cref="CoppiceException">
    /// It cannot be started or does not answer (<see cref="ErrorKind.Hypervisor"/>), or there is no room for its files
    /// (<see cref="ErrorKind.Storage"/>).
    /// </exception>
    public static async Task<QemuInventory> AskAsync(string binary, TimeProvider time, CancellationToken cancellation)
    {
        var temporary = Directory.CreateTempSubdirectory("coppice-");
        var folder = new RunFolder(temporary.FullName);
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        try
        {
            await process.StartAsync(
                binary,
                ["-machine", "none", "-nodefaults", "-no-user-config", "-display", "none",
                 "-qmp", $"unix:{RunFolder.CommandsName},server=on,wait=off"],
                cancellation);
            await using var qmp = await process.ConnectAsync(
                folder.Commands, $"hypervisor {binary}", QmpConnection.AnswerTime, cancellation);
            return await ReadAsync(qmp, cancellation);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Hypervisor && process.Pid is null)
        {
            throw new CoppiceException(
                ErrorKind.Hypervisor, $"hypervisor {binary}", $"does not start: {process.Log().Trim()}",
                "install qemu-system-x86", e);
        }
        finally
        {
            await process.KillAsync(CancellationToken.None);
            DurableFolder.Remove(folder.Path);
        }
    }

    private static async Task<QemuInventory> ReadAsync(QmpConnection qmp, CancellationToken cancellation)
    {
        var commands = await qmp.ExecuteAsync("query-commands", null, cancellation);
        var machines = (await qmp.ExecuteAsync("query-machines", null, cancellation)).Items().ToArray();
        var models = await qmp.ExecuteAsync("query-cpu-definitions", null, cancellation);
        var ramFile = await qmp.ExecuteAsync("qom-list-properties", new JsonObject { ["typename"] = "memory-backend-file" }, cancellation);
        var names = machines
            .SelectMany(m => new[] { m.TextOrEmpty("name"), m.TextOrEmpty("alias") }.Where(n => n.Length > 0)
                .Select(n => KeyValuePair.Create(n, m.TextOrEmpty("name"))))
            .DistinctBy(p => p.Key);
        return new QemuInventory(
            qmp.Version.ToString(),
            [.. commands.Items().Select(c => c.TextOrEmpty("name"))],
            names.ToImmutableDictionary(),
            machines.FirstOrDefault(m => m.IsTrue("is-default")).TextOrEmpty("name"),
            [.. models.Items().Select(m => m.TextOrEmpty("name"))],
            [.. ramFile.Items().Select(p => p.TextOrEmpty("name"))],
            await WritesInBackgroundAsync(qmp, cancellation));
    }

    private static async Task<bool> WritesInBackgroundAsync(QmpConnection qmp, CancellationToken cancellation)
    {
        try
        {
            var capabilities = new JsonArray(Machine.Capability(Machine.Background, isOn: true));
            await qmp.ExecuteAsync("migrate-set-capabilities", new JsonObject { ["capabilities"] = capabilities }, cancellation);
            return true;
        }
        catch (QmpRefusalException)
        {
            return false;
        }
    }
}

/// <summary>An inventory as it is stored, with the program it was read from, and the host: whether pages can be watched hangs on that.</summary>
internal sealed record StoredInventory(
    int Format, string Binary, long Size, DateTimeOffset Changed, string Host, QemuInventory Inventory);

/// <summary>The stored inventory's shape.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StoredInventory))]
internal sealed partial class InventoryJson : JsonSerializerContext;
