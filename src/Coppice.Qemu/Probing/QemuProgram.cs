using System.Collections.Immutable;
using System.Text.Json;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Qemu.Probing;

/// <summary>
/// The QEMU that is installed. It is asked once for each version of the program and start of the host: the answer is kept in a file, with
/// path, size and age of the program, and asked for again when one of these changes, or what the kernel lets this user do.
/// </summary>
internal sealed class QemuProgram(QemuOptions options, TimeProvider time)
{
    private const int Format = 3;
    private const int MaximumBytes = 1 << 20;

    private static readonly string[] s_ofHost = ["/proc/sys/kernel/random/boot_id", "/proc/sys/vm/unprivileged_userfaultfd"];

    private QemuInventory? _inventory;

    /// <summary>What it is and has.</summary>
    /// <exception cref="CoppiceException">
    /// It is not installed or does not answer (<see cref="ErrorKind.Hypervisor"/>).
    /// </exception>
    public async Task<QemuInventory> InventoryAsync(CancellationToken cancellation) =>
        _inventory ??= await ReadAsync(cancellation);

    /// <summary>What a definition can ask of it.</summary>
    /// <exception cref="CoppiceException">As <see cref="InventoryAsync"/>.</exception>
    public async Task<HypervisorDescription> DescribeAsync(KvmProbe kvm, CancellationToken cancellation)
    {
        var inventory = await InventoryAsync(cancellation);
        return new HypervisorDescription
        {
            Emulator = Find(options.Binary),
            Version = Version.Parse(inventory.Version),
            HasKvm = await kvm.WorksAsync(cancellation),
            Machines = inventory.Machines.ToImmutableSortedDictionary(StringComparer.Ordinal),
            CpuModels = inventory.CpuModels.ToImmutableSortedSet(StringComparer.Ordinal),
        };
    }

    private async Task<QemuInventory> ReadAsync(CancellationToken cancellation)
    {
        var program = new FileInfo(Find(options.Binary));
        if (Stored() is { } stored
            && stored.Binary == program.FullName && stored.Size == program.Length && stored.Changed == program.LastWriteTimeUtc
            && stored.Host == Host())
        {
            return stored.Inventory;
        }

        var inventory = await QemuInventory.AskAsync(program.FullName, time, cancellation);
        await StoreAsync(new StoredInventory(Format, program.FullName, program.Length, program.LastWriteTimeUtc, Host(), inventory));
        return inventory;
    }

    private static string Host() => string.Join(
        ' ',
        s_ofHost.Select(p => File.Exists(p) ? File.ReadAllText(p).Trim() : "none").Append(Environment.UserName));

    private StoredInventory? Stored()
    {
        try
        {
            var text = options.CacheFile is null ? null : DurableFile.ReadTextBounded(options.CacheFile, MaximumBytes);
            var stored = text is null ? null : JsonSerializer.Deserialize(text, InventoryJson.Default.StoredInventory);
            return stored?.Format == Format ? stored : null;
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return null;
        }
    }

    private async Task StoreAsync(StoredInventory inventory)
    {
        // Whoever only looks must not make a home.
        var folder = Path.GetDirectoryName(options.CacheFile);
        if (folder is null || !Directory.Exists(Path.GetDirectoryName(folder)))
        {
            return;
        }

        try
        {
            DurableFolder.Create(folder);
            await DurableFile.ReplaceAsync(
                options.CacheFile!, JsonSerializer.SerializeToUtf8Bytes(inventory, InventoryJson.Default.StoredInventory));
        }
        catch (IOException)
        {
            // It is only slower without.
        }
    }

    private static string Find(string binary) => SearchPath.Find(binary) ?? throw new CoppiceException(
        ErrorKind.Hypervisor, $"hypervisor {binary}", "is not installed", "install qemu-system-x86");
}
