using System.Collections.Concurrent;
using Coppice.Core;
using Coppice.Live.Tree;

[assembly: AssemblyFixture(typeof(Cradle))]

namespace Coppice.Live.Tree;

/// <summary>
/// Guests that were booted once and saved (R37). A test goes on with a copy of the whole home, which takes a fraction of a boot;
/// its text files say where it is, so that the copy is told by replacing that. Ids of layers stay, though they were made of
/// paths.
/// </summary>
public sealed class Cradle : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<LiveDomain>>> s_saved = new(StringComparer.Ordinal);

    /// <summary>Copies the saved guest with these disks into a folder of its own.</summary>
    public static async Task<string> CopyAsync(string[] disks)
    {
        var saved = await FindAsync(disks);
        var folder = LiveDomain.NewFolder();
        foreach (var part in Directory.EnumerateDirectories(saved.Folder, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(folder + part[saved.Folder.Length..]);
        }

        foreach (var file in Directory.EnumerateFiles(saved.Folder, "*", SearchOption.AllDirectories))
        {
            if (File.ResolveLinkTarget(file, returnFinalTarget: false) is not null)
            {
                continue; // To a socket of the process that has ended.
            }

            var copy = folder + file[saved.Folder.Length..];
            if (Path.GetExtension(file) is ".json" or ".xml")
            {
                var text = await File.ReadAllTextAsync(file);
                await File.WriteAllTextAsync(copy, text.Replace(saved.Folder, folder, StringComparison.Ordinal));
            }
            else
            {
                File.Copy(file, copy);
            }
        }

        return folder;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var saved in s_saved.Values.Where(s => s is { IsValueCreated: true, Value.IsCompletedSuccessfully: true }))
        {
            await (await saved.Value).DisposeAsync();
        }
    }

    /// <summary>The saved guest; one whose boot failed is tried again by the next test.</summary>
    private static async Task<LiveDomain> FindAsync(string[] disks)
    {
        var key = string.Join(' ', disks);
        var saved = s_saved.GetOrAdd(key, _ => new(() => SaveAsync(disks)));
        try
        {
            return await saved.Value;
        }
        catch
        {
            s_saved.TryRemove(KeyValuePair.Create(key, saved));
            throw;
        }
    }

    private static async Task<LiveDomain> SaveAsync(string[] disks)
    {
        var domain = await LiveDomain.ColdBootAsync(disks);
        await domain.RunAsync(new SaveDomain(LiveDomain.Name));
        return domain;
    }
}
