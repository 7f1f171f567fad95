namespace Coppice.Tests.Images;

/// <summary>A folder of one test, removed with it.</summary>
public sealed class TempFolder : IDisposable
{
    public TempFolder()
        : this(Directory.CreateTempSubdirectory("coppice-images-").FullName)
    {
    }

    private TempFolder(string path) => Path = path;

    public string Path { get; }

    /// <summary>One in memory, where that can be: flushing costs nothing there.</summary>
    public static TempFolder InMemory() => Directory.Exists("/dev/shm")
        ? new(Directory.CreateDirectory($"/dev/shm/coppice-images-{Guid.NewGuid():N}").FullName)
        : new();

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public string Write(string name, byte[] content)
    {
        System.IO.File.WriteAllBytes(File(name), content);
        return File(name);
    }

    public string Folder(string name) => Directory.CreateDirectory(File(name)).FullName;

    public async Task<string> FifoAsync(string name)
    {
        await Tool.RunAsync("mkfifo", File(name));
        return File(name);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
