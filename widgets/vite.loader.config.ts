import { defineConfig, mergeConfig } from "vite";
import player from "./vite.player.config";

/** The script that unpacks the page that is a file. */
const lib = { entry: "src/loader.ts", name: "smithersLoader", fileName: () => "loader.js" };

export default mergeConfig(player, defineConfig({ build: { lib } }));
