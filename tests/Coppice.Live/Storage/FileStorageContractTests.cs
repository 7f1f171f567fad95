using System.Diagnostics;
using Coppice.Contracts;
using Coppice.Core;
using Coppice.Storage;

namespace Coppice.Live.Storage;

/// <summary>Files keep what the fake keeps.</summary>
public sealed class FileStorageContractTests : StorageContract
{
    protected override IStorageBed Open() => new Bed();

    private sealed class Bed : IStorageBed
    {
        private readonly string _root = Directory.CreateTempSubdirectory("coppice-storage-").FullName;
        private int _files;

        public IStorage Storage { get; } = new FileStorage(TimeProvider.System);

        public DomainFolder Folder => new HomeFolder(_root).Domain(new DomainId(Guid.Empty));

        public DiskDevice NewDisk()
        {
            var path = NewPath();
            File.WriteAllBytes(path, new byte[1 << 20]);
            return new DiskDevice { Target = "vda", Source = path, Format = ImageFormat.Raw };
        }

        public string NewPath() => $"{_root}/{++_files}.img";

        public string NewNameOf(string path)
        {
            var name = NewPath();
            using var link = Process.Start("ln", [path, name]);
            link.WaitForExit();
            return name;
        }

        public bool Exists(string path) => File.Exists(path);

        public void WriteInto(Layer layer, Layer backing)
        {
            using var io = Process.Start("qemu-io", ["-f", "qcow2", "-c", "write 0 64k", layer.Path]);
            io.WaitForExit();
            Assert.Equal(0, io.ExitCode);
        }

        public ValueTask DisposeAsync()
        {
            Directory.Delete(_root, recursive: true);
            return ValueTask.CompletedTask;
        }
    }
}
