import { defineConfig } from "vite";

/** The page that is a file: one classic script, because module scripts fail under `file:`. */
export default defineConfig({
  build: {
    lib: {
      entry: "src/player.tsx",
      formats: ["iife"],
      name: "smithersPlayer",
      fileName: () => "player.js",
      cssFileName: "player",
    },
    outDir: "../smithers_nb/player/static",
    emptyOutDir: false,
    target: "es2022",
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
    minify: true,
    sourcemap: false,
    reportCompressedSize: true,
  },
  define: { "process.env.NODE_ENV": '"production"' },
});
