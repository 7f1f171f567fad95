using System.Security.Cryptography;
using System.Text;
using Coppice.Core;

namespace Coppice.Storage;

/// <summary>
/// Ids of layers that a user brought: the same disk and file give the same id, so that discovering can be repeated.
/// </summary>
internal static class UserLayerId
{
    public static ShortId Of(string target, string path) =>
        new(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{target}\n{path}")).AsSpan(0, 6)));
}
