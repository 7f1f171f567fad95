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
        private readonly List<LoopDevice> _devices = [];
        private int _files;

        public IStorage Storage { get; } = new FileStorage(TimeProvider.System);

        public DomainFolder Folder => new HomeFolder(_root).Domain(new DomainId(Guid.Empty));

        public DiskDevice NewDisk()
        {
            var path = NewPath();
            File.WriteAllBytes(path, new byte[1 << 20]);
            return new DiskDevice { Target = "vda", Source = path, Format = ImageFormat.Raw };
        }

        public DiskDevice NewDevice()
        {
            var device = LoopDevice.Attach(NewDisk().Source!);
            _devices.Add(device);
            return new DiskDevice { Target = "vda", Source = device.Path, Type = StorageType.Block, Format = ImageFormat.Raw };
        }

        public void SetSize(DiskDevice device, ByteCount size) => _devices.Single(d => d.Path == device.Source).SetSize(size.Bytes);

        public IDisposable Claim(DiskDevice device) => DeviceClaim.Of(device.Source!);

        public string NewPath() => $"{_root}/{++_files}.img";

        public string NewNameOf(string path)
        {
            var name = NewPath();

            // Of a device another node, which is another inode.
            using var link = path.StartsWith("/dev/", StringComparison.Ordinal)
                ? Process.Start("cp", ["-a", path, name])
                : Process.Start("ln", [path, name]);
            link.WaitForExit();
            return name;
        }

        public bool Exists(string path) => File.Exists(path);

        public void WriteInto(Layer layer, Layer backing)
        {
            Assert.True(Run("qemu-io", "-f", "qcow2", "-c", "write -P 205 0 64k", layer.Path));
        }

        public bool IsWritten(Layer layer) => Run("qemu-io", "-r", "-U", "-f", "qcow2", "-c", "read -P 205 0 64k", layer.Path);

        public void Damage(Layer layer, ImageHealth health)
        {
            // As qemu-img makes images: the third cluster counts the others, the fourth is the L1 table.
            using var file = File.OpenWrite(layer.Path);
            file.Position = health is ImageHealth.Leaking ? 0x30000 : 0x20000 + (3 * sizeof(ushort));
            file.Write(new byte[health is ImageHealth.Leaking ? sizeof(ulong) : sizeof(ushort)]);
        }

        public IAsyncDisposable Use(Layer layer) => new User(layer);

        public ValueTask DisposeAsync()
        {
            _devices.ForEach(d => d.Dispose());
            Directory.Delete(_root, recursive: true);
            return ValueTask.CompletedTask;
        }

        /// <summary>Quietly: qemu-io says how fast it was. It tells of a pattern that is not there by its exit code.</summary>
        private static bool Run(string program, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
    }

    /// <summary>A qemu-io that has an image open for writing, until its input ends.</summary>
    private sealed class User : IAsyncDisposable
    {
        private readonly Process _process;

        public User(Layer layer)
        {
            _process = Process.Start(new ProcessStartInfo("qemu-io", ["-f", "qcow2", layer.Path])
            {
                RedirectStandardInput = true, RedirectStandardOutput = true,
            })!;
            _process.StandardInput.WriteLine("length");
            _process.StandardInput.Flush();
            var read = new char[64];
            for (var text = ""; !text.Contains("MiB", StringComparison.Ordinal);)
            {
                var count = _process.StandardOutput.Read(read, 0, read.Length);
                Assert.NotEqual(0, count);
                text += new string(read, 0, count);
            }
        }

        public async ValueTask DisposeAsync()
        {
            _process.StandardInput.Close();
            await _process.StandardOutput.ReadToEndAsync();
            await _process.WaitForExitAsync();
            _process.Dispose();
        }
    }
}
